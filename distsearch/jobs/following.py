"""Follows a job until it has begun or ended, over a connection that may fail for a while."""

import time
from collections.abc import Callable
from math import inf
from typing import TypeVar

from distsearch.errors import ClusterError
from distsearch.jobs.cluster import Cluster, Job

LOOK_SECONDS = 0.25
LOG_SECONDS = 1.0
LOG_SHARE = 0.05  # share of the time that reading the log may take
LOST_SECONDS = 90.0  # without an answer, before giving up
SLOW_SECONDS = 8.0
QUIET_SECONDS = 5.0  # that a job runs without a word: a shell without its command would long have said so
SURVIVAL_SECONDS = 1.0

NOT_FOUND = 127  # a shell's exit code if there is no such command

T = TypeVar("T")


def wait_until_begun(cluster: Cluster, job: str, slow: Callable[[], None]) -> Job:
    """Wait until a job's program has printed something, runs for a while or has ended; the job.

    Calls `slow` once if this takes long.
    """
    began, told, ran = time.monotonic(), False, inf
    while True:
        found = ask_patiently(lambda: cluster.job(job))
        runs = found.status == "RUNNING"
        ran = min(ran, time.monotonic()) if runs else inf
        if found.ended or time.monotonic() - ran > QUIET_SECONDS:
            return found
        if runs and _speaks(ask_patiently(lambda: cluster.log(job))):
            return found
        if not told and time.monotonic() - began > SLOW_SECONDS:
            slow()
            told = True
        time.sleep(LOOK_SECONDS)


def _speaks(log: str) -> bool:
    """Whether the program has printed something, rather than the shell that it was not found."""
    first = log.partition("\n")[0]
    return bool(first) and "not found" not in first


def wait_out_start(cluster: Cluster, job: Job) -> Job:
    """Look at a job that has begun again after a moment, as many that fail do so at once; the job."""
    if not job.ended:
        time.sleep(SURVIVAL_SECONDS)
    return ask_patiently(lambda: cluster.job(job.id))


def wait_until_ended(cluster: Cluster, job: str) -> Job:
    """Wait until a job has ended; the job."""
    while not (found := ask_patiently(lambda: cluster.job(job))).ended:
        time.sleep(LOOK_SECONDS)
    return found


def follow(cluster: Cluster, job: str, show: Callable[[str], None]) -> Job:
    """Show whole lines of a job's log as they come, each once, until it has ended; the job."""
    shown = 0
    while True:
        began = time.monotonic()
        found = ask_patiently(lambda: cluster.job(job))  # before its log, so that the log is complete if it has ended
        log = ask_patiently(lambda: cluster.log(job))
        whole = len(log) if found.ended else log.rfind("\n") + 1
        if whole > shown:
            show(log[shown:whole])
            shown = whole
        if found.ended:
            return found
        time.sleep(max(LOG_SECONDS, (time.monotonic() - began) / LOG_SHARE))


def ask_patiently(ask: Callable[[], T]) -> T:
    """The answer, asking again while the cluster does not answer. Raises ClusterError if that lasts too long."""
    until = time.monotonic() + LOST_SECONDS
    while True:
        try:
            return ask()
        except ClusterError as error:
            if time.monotonic() > until:
                raise ClusterError(
                    f"{error}; the job may still be running: `distsearch logs` follows it when the cluster is back"
                ) from None
        time.sleep(LOG_SECONDS)
