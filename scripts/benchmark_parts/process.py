"""Whole processes, and their memory."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

from figures import Figure


def process_seconds(*command: str, runs: int = 5) -> float:
    """The seconds for a whole process: the lowest of several runs after a warm-up."""
    times = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(runs + 1):
            began = time.perf_counter()
            subprocess.run([sys.executable, *command], cwd=folder, check=True, capture_output=True)
            times.append(time.perf_counter() - began)
    return min(times[1:])


def processes() -> Iterator[Figure]:
    """Whole processes."""
    bare = process_seconds("-c", "pass")
    for name, arguments, limit in (
        ("distsearch --help", ("--help",), 0.3),
        ("run --workers 0 --rounds 100", ("run", "--workers", "0", "--rounds", "100"), 1.0),
    ):
        ours = process_seconds("-m", "distsearch", *arguments)
        yield Figure(name, f"{ours:.2f} s", f"{bare:.3f} s, bare Python; limit in seconds", ours, limit, False)
    start = "import ray; ray.init(include_dashboard=False, log_to_driver=False); ray.shutdown()"
    bare = process_seconds("-c", start, runs=3)
    ours = process_seconds("-m", "distsearch", "run", runs=3)
    yield Figure(
        "run on Ray, as a whole", f"{ours:.1f} s", f"{bare:.1f} s, Ray's start and end", ours / bare, 1.6, False
    )


def memory() -> Iterator[Figure]:
    """A worker's memory on data of MNIST's size, beside the data."""
    code = """
import resource, sys
import numpy as np
from distsearch.search.assembly import assemble
from distsearch.config import from_flags
from distsearch.data import datasets
X = np.random.default_rng(0).random((60_000, 784), dtype=np.float32)
dataset = datasets.from_arrays(X, np.arange(60_000) % 10, numbers=False)
del X
flags = {"layers": [128], "population": 256, "workers": 0, "start": "he"}
prepared = assemble(from_flags(flags), dataset)
state = prepared.plan.first
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
def peak():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) * 1024
open("/proc/self/clear_refs", "w").write("5")
before = resident()
prepared.strategy.work(state, prepared.objective, 0, 8)
print(peak() - before)
"""
    if not sys.platform.startswith("linux"):
        return
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    megabytes = int(done.stdout) / 1e6
    yield Figure(
        "memory of 784-128-10 on 60,000", f"{megabytes:.0f} MB", "beside the data; limit in MB", megabytes, 300, False
    )
