"""What this machine computes with: recorded with every run, as identical bits are promised per kind of machine."""

import ctypes
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from distsearch import __version__

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
LARGEST_KEPT = 32 << 20  # bytes of an array; glibc's limit
KEPT_BYTES = 256 << 20


def _controller() -> ThreadpoolController:
    """What controls the BLAS libraries that are loaded: SciPy brings another one when it is imported."""
    return _controller_of(len(sys.modules))


@lru_cache(1)
def _controller_of(modules: int) -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")


class _OneThread:
    """Keeps BLAS on one thread while any thread wants that; the last one to leave restores the previous setting."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._wanted = 0  # number of current users
        self._libraries: list[Any] = []
        self._before: list[int] = []  # previous thread count of each library

    def enter(self) -> None:
        with self._lock:
            if not self._wanted:
                self._libraries = _controller().lib_controllers
                self._before = [library.num_threads for library in self._libraries]
            self._wanted += 1
            self._set([1] * len(self._before))  # every time, as in some BLAS libraries the setting is per thread

    def leave(self) -> None:
        with self._lock:
            self._wanted -= 1
            if not self._wanted:
                self._set(self._before)

    def _set(self, counts: list[int]) -> None:
        for library, count in zip(self._libraries, counts, strict=True):
            # Since threadpoolctl 3.8, its public function does nothing if a different thread was the first to call it.
            getattr(library, "_real_set_num_threads", library.set_num_threads)(count)


_one_thread = _OneThread()


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep BLAS on one thread in this process while entered: with more, the last bits depend on their number."""
    _one_thread.enter()
    try:
        yield
    finally:
        _one_thread.leave()


def use_one_thread() -> None:
    """Keep BLAS on one thread in this process from now on."""
    _one_thread.enter()


def keep_memory() -> None:
    """Let this process keep the memory that arrays leave behind, for the next ones, where its C library is glibc.

    By default arrays of some hundred kilobytes are given back at once, and the next ones' pages are fetched and cleared
    again: a third of the time of a round of node perturbation. What is kept is at most KEPT_BYTES.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None  # musl has none
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT)
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)


def cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def description(device: str = "") -> dict[str, str]:
    """Versions, processor and BLAS kernel; and the GPU's name if `device` says one."""
    found = {
        "distsearch": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "ray": _version_of_ray(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "blas": _blas(),
    }
    return {**found, "device": device} if device else found


def _version_of_ray() -> str:
    try:
        return version("ray")
    except PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def _blas() -> str:
    found = _controller().info()
    # SciPy bundles its own BLAS, which is loaded or not depending on whether scikit-learn was imported.
    libraries = [library for library in found if "numpy" in library["filepath"]] or found
    names = [f"{each['internal_api']} {each['version']} {each.get('architecture', '')}".strip() for each in libraries]
    return ", ".join(sorted(set(names))) or "NumPy's own"
