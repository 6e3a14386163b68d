"""A cluster whose jobs follow a test's script, on a virtual clock."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from distsearch.jobs.cluster import Job


@dataclass
class Sent:
    """A job as it was submitted."""

    job: str
    command: str
    metadata: Mapping[str, str]
    environment: Mapping[str, Any]


@dataclass
class ScriptedCluster:
    """Each look at a job takes the next entry of its script: (status, exit code, log), or an error to raise.

    The last entry repeats. Jobs without a script use `otherwise`.
    """

    otherwise: list[Any] = field(default_factory=lambda: [("SUCCEEDED", 0, "done\n")])
    scripts: dict[str, list[Any]] = field(default_factory=dict)
    known: list[Job] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    address: str = "http://127.0.0.1:8265"
    _log: str = ""

    def jobs(self) -> list[Job]:
        return self.known

    def submit(self, job, command, metadata, environment) -> None:
        self.sent.append(Sent(job, command, metadata, environment))

    def job(self, job: str) -> Job:
        script = self.scripts.get(job, self.otherwise)
        look = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(look, Exception):
            raise look
        status, exit_code, self._log = look
        return described(job, status=status, exit_code=exit_code)

    def log(self, job: str) -> str:
        return self._log

    def delete(self, job: str) -> None:
        self.deleted.append(job)


def described(job: str, status: str = "SUCCEEDED", exit_code: int | None = 0, **metadata: str) -> Job:
    return Job(job, status, "", exit_code, 0.0, metadata)
