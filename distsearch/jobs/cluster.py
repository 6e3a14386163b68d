"""A Ray cluster's job service. The only module that imports Ray's client for it and knows its errors."""

import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from distsearch.errors import ClusterError, DistsearchError, UserError, unknown
from distsearch.jobs.access import ADDRESS_VARIABLES, Access

KIND = "distsearch"  # the key for a job's kind in its metadata
SEARCH, PACK = "run", "pack"

LONGEST_REASON = 240  # characters
PATIENCE = 60.0  # seconds to wait for an answer

_ENDED = ("STOPPED", "SUCCEEDED", "FAILED")
_HTTP_CODE = re.compile(r"status code (\d+)")


@dataclass(frozen=True)
class Job:
    """One of our jobs as the cluster describes it."""

    id: str
    status: str  # PENDING, RUNNING, STOPPED, SUCCEEDED or FAILED
    message: str
    exit_code: int | None  # of its program, if that ended by itself
    started: float  # seconds since 1970
    metadata: Mapping[str, str]

    @property
    def ended(self) -> bool:
        """Whether it has ended, however it did."""
        return self.status in _ENDED

    @property
    def run(self) -> str:
        """The name of its run; empty if it was not sent by `distsearch submit`."""
        return self.metadata.get("run", "")

    @property
    def reason(self) -> str:
        """The line of the cluster's message that best explains why it failed."""
        lines = [line.strip() for line in self.message.splitlines() if line.strip()]
        telling = [line for line in lines if "ERROR: " in line]
        line = telling[0].partition("ERROR: ")[2] if telling else (lines[-1] if lines else self.status.lower())
        return line if len(line) <= LONGEST_REASON else f"{line[: LONGEST_REASON - 1]}…"


class Cluster:
    """The jobs of a cluster. Every method raises ClusterError if the cluster does not answer, or reports an error."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self.version = access.version()  # of Ray
        with self._asking(), _addressed():
            self._client = _client(access)

    @property
    def address(self) -> str:
        """The address of its dashboard."""
        return self._access.address

    def submit(self, job: str, command: str, metadata: Mapping[str, str], environment: Mapping[str, Any]) -> None:
        """Start a job with this id that runs a shell command in this runtime environment."""
        with self._asking():
            self._client.submit_job(
                entrypoint=command, submission_id=job, metadata=dict(metadata), runtime_env=dict(environment)
            )

    def job(self, job: str) -> Job:
        """The job with this id. Raises UserError if there is none."""
        with self._asking(job):
            return _described(self._client.get_job_info(job))

    def jobs(self) -> list[Job]:
        """All searches, oldest first."""
        with self._asking():
            found = self._client.list_jobs()
        jobs = [_described(each) for each in found if each.submission_id and _is_search(each)]
        return sorted(jobs, key=lambda job: (job.started, job.id))

    def find(self, name: str) -> Job:
        """The job with this id, or the latest one for the run of this name. Raises UserError if there is neither."""
        jobs = self.jobs()
        found = [job for job in jobs if job.id == name] or [job for job in jobs if job.run == name]
        if found:
            return found[-1]
        if not jobs:
            raise UserError(
                f"expected a job, got {name!r}, but {self.address} has none: `distsearch submit` starts one"
            )
        raise UserError(unknown("job", name, [job.id for job in jobs]))

    def log(self, job: str) -> str:
        """Everything that a job's program has printed so far."""
        with self._asking(job):
            text: str = self._client.get_job_logs(job)
        _, began, output = text.rpartition(f"Running entrypoint for job {job}: ")  # what precedes is Ray's own
        return output.partition("\n")[2] if began else ""

    def stop(self, job: str) -> None:
        """Tell a job to end: with SIGTERM, and some seconds later with SIGKILL."""
        with self._asking(job):
            self._client.stop_job(job)

    def delete(self, job: str) -> None:
        """Delete a job that has ended."""
        with self._asking(job):
            self._client.delete_job(job)

    @contextmanager
    def _asking(self, job: str = "") -> Iterator[None]:
        """Turn Ray's errors into ours."""
        from ray import exceptions

        refused = getattr(exceptions, "AuthenticationError", PermissionError)  # older Rays only have HTTP codes
        try:
            yield
        except refused:
            raise self._access.refusal(401) from None
        except OSError as error:  # which covers everything that requests raises
            raise ClusterError(f"the cluster at {self.address} no longer answers: {_last_line(error)}") from None
        except RuntimeError as error:
            raise self._failure(str(error), job) from None

    def _failure(self, answer: str, job: str) -> DistsearchError:
        """The error for an answer that reports a failure."""
        found = _HTTP_CODE.search(answer)
        code = int(found[1]) if found else 0
        if code in (401, 403):
            return self._access.refusal(code)
        if code == 404 and job:
            return UserError(f"{self.address} has no job {job}: `distsearch jobs` lists them")
        if "already exists" in answer:
            return UserError("the cluster has or had a job with this id: choose another --job")
        return ClusterError(f"the cluster at {self.address} failed: {_last_line(answer)}")


def _client(access: Access) -> Any:
    """Ray's client, with a timeout, so that it does not wait forever if the network is gone."""
    from ray.job_submission import JobSubmissionClient

    class Client(JobSubmissionClient):
        def _do_request(self, *arguments: Any, **options: Any) -> Any:
            past_proxies = {"proxies": {"no_proxy": access.host}} if access.is_local else {}
            return super()._do_request(*arguments, **{"timeout": PATIENCE, **past_proxies, **options})

    logging.getLogger("ray.dashboard.modules.dashboard_sdk").setLevel(logging.ERROR)  # it logs every upload
    try:
        return Client(access.address, headers=access.headers)
    except RuntimeError as error:
        if "ray[default]" in str(error):
            raise UserError(
                'jobs need Ray\'s job client, which is not installed; type pip install "distsearch[cluster]"'
            ) from None
        raise


@contextmanager
def _addressed() -> Iterator[None]:
    """Hide the environment variables that Ray would prefer to the address it is given."""
    kept = {name: os.environ.pop(name) for name in ADDRESS_VARIABLES if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)


def _is_search(details: Any) -> bool:
    """Whether a job is a search, even one sent with `ray job submit`."""
    kind = (details.metadata or {}).get(KIND)
    return kind == SEARCH or (
        kind is None and re.match(r"\S*distsearch (run|resume)\b", details.entrypoint) is not None
    )


def _described(details: Any) -> Job:
    return Job(
        id=details.submission_id,
        status=str(getattr(details.status, "value", details.status)),
        message=details.message or "",
        exit_code=details.driver_exit_code,
        started=(details.start_time or 0) / 1000,
        metadata=details.metadata or {},
    )


def _last_line(error: object) -> str:
    lines = [line.strip() for line in str(error).replace("\\n", "\n").splitlines() if line.strip(" .\"'}")]
    return lines[-1].rstrip(".") if lines else type(error).__name__
