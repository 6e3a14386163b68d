"""What this machine computes with: recorded with every run, because bits are promised for one kind of machine."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
from threadpoolctl import ThreadpoolController


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


@contextmanager
def one_thread() -> Iterator[None]:
    """BLAS on one thread in this process: with more, the last bits depend on their number."""
    with _controller().limit(limits=1, user_api="blas"):
        yield


def use_one_thread() -> None:
    """BLAS on one thread in this process from now on."""
    _controller().limit(limits=1, user_api="blas")


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
    found = [library for library in _controller().info() if library["user_api"] == "blas"]
    # SciPy brings a BLAS of its own, which is there or not as scikit-learn was imported or not.
    libraries = [library for library in found if "numpy" in library["filepath"]] or found
    names = [f"{each['internal_api']} {each['version']} {each.get('architecture', '')}".strip() for each in libraries]
    return ", ".join(sorted(set(names))) or "NumPy's own"
