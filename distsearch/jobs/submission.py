"""Sends a distsearch command line to a cluster, and fetches the run that it produces."""

import json
import logging
import re
import secrets
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from distsearch.errors import ClusterError, RunError, UserError
from distsearch.jobs.archive import unpack
from distsearch.jobs.cluster import KIND, PACK, SEARCH, Cluster, Job
from distsearch.jobs.following import NOT_FOUND, wait_until_begun, wait_until_ended
from distsearch.jobs.parcel import Files, read_files, runtime_environment
from distsearch.runs.names import is_plain

KEPT_IN = "~/distsearch-runs"
"""Where a cluster keeps its runs unless its own DISTSEARCH_RUNS says otherwise."""

_NOT_IN_IDS = re.compile(r"[^A-Za-z0-9._-]+")

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Submission:
    """A search to send: its command line, its run's name, and what has to be sent with it."""

    arguments: Sequence[str]  # `run` or `resume` and what follows
    run: str
    runs: str = ""  # the folder of runs, if given
    files: Files = field(default_factory=dict)  # its data, sent again when it resumes
    settings: Files = field(default_factory=dict)  # its configuration and start, which are kept with the run
    extras: str = ""  # distsearch's extras, needed if that has to be sent as well
    moved: bool = False  # whether it says where its data is now

    @property
    def resumes(self) -> bool:
        """Whether it continues an existing run."""
        return self.arguments[0] == "resume"


def submit(cluster: Cluster, search: Submission, job: str) -> Job:
    """Send a search as a job with this id or, if empty, one named after its run; the job once it runs or has ended.

    If the cluster lacks distsearch, this one is sent along. Raises UserError if the id is taken or invalid.
    """
    if _NOT_IN_IDS.search(job):
        raise UserError(f"--job: expected letters, digits, dots, dashes and underscores, got {job!r}")
    jobs = cluster.jobs()
    taken = {each.id for each in jobs}
    if job in taken:
        raise UserError(f"the cluster already has a job {job}: choose another --job")
    taken |= {each.run for each in jobs}  # Ray never accepts the id of a deleted job again
    if search.resumes:
        search = _continue_earlier(search, [each.metadata for each in jobs if each.run == search.run])
    contents = read_files({**search.files, **search.settings})
    wanted = job or _NOT_IN_IDS.sub("-", search.run)
    if not any("extras" in each.metadata for each in jobs):
        sent = _send(cluster, search, _free(wanted, taken), contents, None)
        if sent.exit_code != NOT_FOUND:
            return sent
        cluster.delete(sent.id)
        taken.add(sent.id)
        LOG.info("the cluster has no distsearch: sending this one along")
    return _send(cluster, search, _free(wanted, taken), contents, search.extras)


def fetch(cluster: Cluster, job: Job, folder: Path) -> Path:
    """Fetch the run of a job, as it is now, into a local folder: whole or not at all.

    Raises RunError if it already exists there, ClusterError if it cannot be fetched.
    """
    if not is_plain(job.run):
        raise ClusterError(f"expected the name of a run from the cluster, got {job.run!r}")
    target = folder / job.run
    if target.exists():
        raise RunError(f"{target} already exists: choose another folder with --to, or remove it first")
    place = ["--runs", job.metadata["runs"]] if "runs" in job.metadata else []
    name = f"{PACK}-{_NOT_IN_IDS.sub('-', job.run)}-{secrets.token_hex(4)}"
    with TemporaryDirectory() as parcel:
        environment = runtime_environment({}, job.metadata.get("extras"), Path(parcel))
        cluster.submit(name, command([PACK, job.run, *place]), {KIND: PACK}, environment)
    try:
        done = wait_until_ended(cluster, name)
        log = cluster.log(name)
    finally:
        _forget(cluster, name)
    if done.status != "SUCCEEDED":
        said = log.strip().rpartition("\n")[2].removeprefix("distsearch: ")
        raise ClusterError(f"the run {job.run} cannot be fetched: {said or done.reason}")
    unpack(log, target)
    return target


def command(arguments: Sequence[str]) -> str:
    """The shell command that runs distsearch on a cluster, with runs kept outside the job's own folder."""
    return f'DISTSEARCH_RUNS="${{DISTSEARCH_RUNS:-{KEPT_IN}}}" {shlex.join(["distsearch", *arguments])}'


def _send(cluster: Cluster, search: Submission, job: str, contents: Mapping[str, bytes], extras: str | None) -> Job:
    metadata = {KIND: SEARCH, "run": search.run}
    if search.runs:
        metadata["runs"] = search.runs
    if search.files:
        metadata["files"] = json.dumps({name: str(path.absolute()) for name, path in search.files.items()})
    if extras is not None:
        metadata["extras"] = extras
    with TemporaryDirectory() as parcel:
        environment = runtime_environment(contents, extras, Path(parcel))
        cluster.submit(job, command(search.arguments), metadata, environment)
    what = "is installing distsearch, which takes a while the first time" if extras is not None else "is busy"
    return wait_until_begun(cluster, job, lambda: LOG.info(f"job {job} has not begun yet: the cluster {what}"))


def _continue_earlier(search: Submission, earlier: Sequence[Mapping[str, str]]) -> Submission:
    """Add what the latest job of the run had: the folder of runs, and the files, which went with the job's folder."""
    known = earlier[-1] if earlier else {}
    if not search.runs and "runs" in known:
        search = replace(search, runs=known["runs"], arguments=[*search.arguments, "--runs", known["runs"]])
    files = {name: Path(path) for name, path in json.loads(known.get("files", "{}")).items()}
    gone = [name for name, path in files.items() if not path.is_file()]
    if gone and not search.moved:
        path = files[gone[0]]
        raise UserError(
            f"{path}, which was sent with the run {search.run}, no longer exists: put it back, or say with --data "
            "where its data is now"
        )
    there = {name: path for name, path in files.items() if name not in gone}
    return replace(search, files={**there, **search.files}, extras=known.get("extras", search.extras))


def _free(wanted: str, taken: set[str]) -> str:
    """The wanted id, numbered if it is taken."""
    names = (wanted if number == 1 else f"{wanted}-{number}" for number in count(1))
    return next(name for name in names if name not in taken)


def _forget(cluster: Cluster, job: str) -> None:
    """Delete one of our jobs that nobody needs to see; one that has not ended stays."""
    with suppress(ClusterError, UserError):
        cluster.delete(job)
