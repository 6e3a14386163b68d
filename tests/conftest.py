import logging
import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from processes import ray_workers
from waiting import awaited

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # clusters that tests start themselves are on loopback too
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # inherited from a shell that runs the tests in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)
settings.register_profile("distsearch", deadline=None, suppress_health_check=[HealthCheck.too_slow])  # no wall clock
settings.load_profile("distsearch")
os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", WANDB_ERROR_REPORTING="false", WANDB_MODE="offline")  # no network
for name in ("RAY_ADDRESS", "DISTSEARCH_RUNS"):
    os.environ.pop(name, None)


SLOW_SECONDS = 600


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that start Ray get more time than others before they are considered hung; their files come first.

    Of two processes none is then left with a long file while the other has nothing more to do.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SLOW_SECONDS))


class _Listening(logging.Handler):
    """Keeps the messages."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


@pytest.fixture
def said() -> Iterator[list[str]]:
    """The messages that the library logs for its user."""
    log, listening = logging.getLogger("distsearch"), _Listening()
    level = log.level
    log.addHandler(listening)
    log.setLevel(logging.INFO)
    yield listening.said
    log.removeHandler(listening)
    log.setLevel(level)


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder for temporary files, of so short a path that Ray's sockets can be in it."""
    with tempfile.TemporaryDirectory(prefix="", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def _private_ray() -> Iterator[None]:
    from distsearch.workers.ray import cluster as ray_cluster

    ray_cluster.start(3, 200 * 1024 * 1024)
    yield
    ray_cluster.disconnect()


@pytest.fixture
def ray_with_three_cpus(_private_ray) -> Iterator[None]:
    """A private Ray on this machine that lets three workers run, however many cores there are.

    All workers end with the test, even those that a failed one has left: the next test finds three free CPUs.
    """
    from distsearch.workers.ray.cluster import free_cpus

    yield
    for worker in ray_workers(os.getpid()):
        with suppress(ProcessLookupError):  # it may have ended by itself just now
            os.kill(worker.pid, signal.SIGKILL)
    awaited("the CPUs of a test's workers to be free", lambda: free_cpus() == 3)
