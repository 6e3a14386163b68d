import logging
import os
import signal
from collections.abc import Iterator

import pytest

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # clusters that tests start themselves are on loopback too
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # inherited from a shell that runs the tests in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)
for name in ("RAY_ADDRESS", "DISTSEARCH_RUNS"):
    os.environ.pop(name, None)


class _Listening(logging.Handler):
    """Keeps what is said."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


@pytest.fixture
def said() -> Iterator[list[str]]:
    """The sentences that the library says to its user."""
    log, listening = logging.getLogger("distsearch"), _Listening()
    level = log.level
    log.addHandler(listening)
    log.setLevel(logging.INFO)
    yield listening.said
    log.removeHandler(listening)
    log.setLevel(level)


@pytest.fixture(scope="session")
def ray_with_three_cpus() -> Iterator[None]:
    """A private Ray on this machine that lets three workers run, however many cores there are."""
    from distsearch.workers.ray import cluster as ray_cluster

    ray_cluster.start(3, 200 * 1024 * 1024)
    yield
    ray_cluster.disconnect()
