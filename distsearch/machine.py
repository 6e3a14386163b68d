"""What this machine computes with: recorded with every run, because bits are promised for one kind of machine."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from threading import Lock

import numpy as np
from threadpoolctl import ThreadpoolController


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")


class _OneThread:
    """BLAS on one thread while anybody wants it so, in whichever thread: the last one out restores what was before."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._wanted = 0  # by so many
        self._before: list[int] = []  # the threads of each library

    def enter(self) -> None:
        with self._lock:
            if not self._wanted:
                self._before = [library.num_threads for library in _controller().lib_controllers]
            self._wanted += 1
            self._set([1] * len(self._before))  # each time, for some kinds of BLAS have a setting for every thread

    def leave(self) -> None:
        with self._lock:
            self._wanted -= 1
            if not self._wanted:
                self._set(self._before)

    @staticmethod
    def _set(counts: list[int]) -> None:
        for library, count in zip(_controller().lib_controllers, counts, strict=True):
            # From threadpoolctl 3.8 on, its public function does nothing where another thread was the first to set it.
            getattr(library, "_real_set_num_threads", library.set_num_threads)(count)


_one_thread = _OneThread()


@contextmanager
def one_thread() -> Iterator[None]:
    """BLAS on one thread in this process: with more, the last bits depend on their number."""
    _one_thread.enter()
    try:
        yield
    finally:
        _one_thread.leave()


def use_one_thread() -> None:
    """BLAS on one thread in this process from now on."""
    _one_thread.enter()


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def description() -> dict[str, str]:
    """Versions, processor and BLAS kernel."""
    return {
        "distsearch": version("distsearch"),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "ray": version("ray"),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "blas": _blas(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def _blas() -> str:
    found = _controller().info()
    # SciPy brings a BLAS of its own, which is there or not as scikit-learn was imported or not.
    libraries = [library for library in found if "numpy" in library["filepath"]] or found
    names = [f"{each['internal_api']} {each['version']} {each.get('architecture', '')}".strip() for each in libraries]
    return ", ".join(sorted(set(names))) or "NumPy's own"
