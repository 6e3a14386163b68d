"""Watching a job from here: until it has begun, or until it has ended, over a connection that may fail for a while."""

import time
from collections.abc import Callable
from typing import TypeVar

from distsearch.errors import ClusterError
from distsearch.jobs.cluster import Cluster, Job

LOOK_SECONDS = 0.25
LOG_SECONDS = 1.0
LOG_SHARE = 0.05  # of the time that reading a log may take
LOST_SECONDS = 90.0  # without an answer
SLOW_SECONDS = 8.0
SURVIVAL_SECONDS = 1.0

NOT_FOUND = 127  # is what a shell exits with if there is no such command

T = TypeVar("T")


def begun(cluster: Cluster, job: str, slow: Callable[[], None]) -> Job:
    """The job as soon as its program has said something or has ended. slow is called once if that takes long."""
    began, told = time.monotonic(), False
    while True:
        found = patiently(lambda: cluster.job(job))
        if found.ended or (found.status == "RUNNING" and _speaks(patiently(lambda: cluster.log(job)))):
            return found
        if not told and time.monotonic() - began > SLOW_SECONDS:
            slow()
            told = True
        time.sleep(LOOK_SECONDS)


def _speaks(log: str) -> bool:
    """Whether a program has printed something, and not its shell that there is none."""
    first = log.partition("\n")[0]
    return bool(first) and "not found" not in first


def survived(cluster: Cluster, job: Job) -> Job:
    """A job that has begun, a moment later: many of those that fail do so at once."""
    if not job.ended:
        time.sleep(SURVIVAL_SECONDS)
    return patiently(lambda: cluster.job(job.id))


def ended(cluster: Cluster, job: str) -> Job:
    """The job once it has ended."""
    while not (found := patiently(lambda: cluster.job(job))).ended:
        time.sleep(LOOK_SECONDS)
    return found


def followed(cluster: Cluster, job: str, show: Callable[[str], None]) -> Job:
    """The job once it has ended; until then whole lines of its log are shown as they come, each once."""
    shown = 0
    while True:
        began = time.monotonic()
        found = patiently(lambda: cluster.job(job))  # before its log, of which nothing is then missing at the end
        log = patiently(lambda: cluster.log(job))
        whole = len(log) if found.ended else log.rfind("\n") + 1
        if whole > shown:
            show(log[shown:whole])
            shown = whole
        if found.ended:
            return found
        time.sleep(max(LOG_SECONDS, (time.monotonic() - began) / LOG_SHARE))


def patiently(ask: Callable[[], T]) -> T:
    """What is asked for, asked again while the cluster does not answer. ClusterError if that lasts too long."""
    until = time.monotonic() + LOST_SECONDS
    while True:
        try:
            return ask()
        except ClusterError as error:
            if time.monotonic() > until:
                raise ClusterError(
                    f"{error}; the job may go on: `distsearch logs` follows it when the cluster is back"
                ) from None
        time.sleep(LOG_SECONDS)
