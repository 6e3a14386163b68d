"""What distsearch costs, each figure beside its yardstick, both measured in this run: trust the ratios.

The yardsticks are the course's own loop written plainly in NumPy, the machine's own matrix product, and Ray's start.
Every time is the lowest of several runs: what else the machine does can only add to it.
"""

import argparse
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Timer

import numpy as np
from benchmark_peers.timing import seconds
from rich.console import Console
from rich.table import Table

from distsearch import session
from distsearch.config import from_flags
from distsearch.machine import cores, description, one_thread
from distsearch.problem import datasets, losses
from distsearch.problem.datasets import Dataset
from distsearch.problem.network import Network
from distsearch.problem.objective import NetworkObjective
from distsearch.runs import Run
from distsearch.strategies import create
from distsearch.workers.base import Workers
from distsearch.workers.dispatch import Dispatcher
from distsearch.workers.instructions import Policy, Send
from distsearch.workers.jobs import Trial

MICRO = 1e6


@dataclass(frozen=True)
class Figure:
    """One line of the report."""

    name: str
    measured: str
    yardstick: str
    ratio: float
    limit: float
    at_least: bool  # the limit is a floor; else a ceiling

    @property
    def met(self) -> bool:
        """Whether the ratio keeps to its limit."""
        return self.ratio >= self.limit if self.at_least else self.ratio <= self.limit


def course_iteration(dataset: Dataset, hidden: int) -> Callable[[], object]:
    """One iteration of the course's loop: adjust the weights at random, forward, loss, accuracy."""
    X, y = dataset.train.features.astype(np.float64), dataset.train.targets
    inputs, outputs = X.shape[1], dataset.schema.outputs
    shapes = [(inputs, hidden), (1, hidden), (hidden, outputs), (1, outputs)]
    weights = [0.01 * np.random.randn(*shape) for shape in shapes]
    rows = range(len(X))

    def iteration() -> tuple[float, float]:
        tried = [array + 0.05 * np.random.randn(*array.shape) for array in weights]
        layer = np.maximum(0, np.dot(X, tried[0]) + tried[1])
        layer = np.dot(layer, tried[2]) + tried[3]
        powers = np.exp(layer - np.max(layer, axis=1, keepdims=True))
        probabilities = powers / np.sum(powers, axis=1, keepdims=True)
        right = np.clip(probabilities, 1e-7, 1 - 1e-7)[rows, y]
        accuracy = np.mean(np.argmax(probabilities, axis=1) == y)
        return float(np.mean(-np.log(right))), float(accuracy)

    return iteration


def candidate_seconds(dataset: Dataset, hidden: tuple[int, ...]) -> tuple[float, int]:
    """Seconds a candidate, noise included, and the multiplications and additions of its forward pass."""
    network = Network(len(dataset.schema.features), hidden, dataset.schema.outputs, "relu")
    objective = NetworkObjective.of(dataset, network, losses.create("cross-entropy"))
    population = max(8, 2 * objective.tile)
    strategy = create("hill-climb", {"population": population}, objective.space)
    state = strategy.init(network.start("he", 0), 0)
    per_round = seconds(lambda: strategy.work(state, objective, 0, population))
    flops = sum(2 * (layer.inputs + 1) * layer.outputs for layer in network.layers) * len(dataset.train.features)
    return per_round / population, flops


def single_core() -> Iterator[Figure]:
    """Candidates on one core."""
    vertical = datasets.load("vertical", numbers=False)
    spiral = datasets.load("spiral", numbers=False)
    digits = datasets.load("digits", numbers=False, test_share=0.2)
    course = seconds(course_iteration(vertical, 3))
    yardstick = f"{course * MICRO:.1f} µs, the course's loop"
    ours, _ = candidate_seconds(vertical, (3,))
    yield Figure("candidate of 2-3-3 on 300 points", f"{ours * MICRO:.2f} µs", yardstick, course / ours, 20, True)
    ours, _ = candidate_seconds(spiral, (64,))
    yield Figure(
        "candidate of 2-64-3 on 300 points", f"{ours * MICRO:.1f} µs", yardstick, ours / course, 12 / 50, False
    )
    ours, flops = candidate_seconds(digits, (32,))
    matrix = np.random.randn(1024, 1024).astype(np.float32)
    product = 2 * 1024**3 / seconds(lambda: matrix @ matrix) / 1e9
    rate = flops / ours / 1e9
    yield Figure(
        f"candidate of 64-32-10 on {len(digits.train.features):,} digits",
        f"{ours * MICRO:.0f} µs = {rate:.0f} GFLOP/s",
        f"{product:.0f} GFLOP/s, sgemm of 1024³",
        rate / product,
        0.6,
        True,
    )
    ours = min(run_seconds(population=16, rounds=2000) / 2000 for _ in range(5))
    yield Figure(
        "round of 16 on the chapter, all in", f"{ours * MICRO:.0f} µs", yardstick, ours / course, 80 / 50, False
    )


def run_seconds(**flags: object) -> float:
    """Of a search in this process, its run directory included."""
    with tempfile.TemporaryDirectory() as folder:
        prepared = session.prepare(from_flags({"workers": 0, "runs": folder, **flags}))
        return prepared.run(lambda row, state, workers: None, lambda sentence: None)[1].seconds


def ray_scaling() -> Iterator[Figure]:
    """Two Ray workers against one."""
    from distsearch.workers.ray_pool import RayPool

    prepared = session.prepare(from_flags({"data": "digits", "layers": [64, 32], "population": 1024}))
    state = prepared.strategy.init(prepared.start, 0)
    lowest = {}
    for workers in (1, 2):
        with RayPool(prepared.strategy, prepared.objective, workers, lambda sentence: None) as pool:
            wait_for_all(pool, workers, lambda: pool.evaluate(state))
            lowest[workers] = seconds(lambda: pool.evaluate(state), runs=15, at_least=0)
    yield Figure(
        "two Ray workers, a round",
        f"{lowest[2] * 1000:.0f} ms",
        f"{lowest[1] * 1000:.0f} ms, one worker",
        lowest[1] / lowest[2],
        1.8,
        True,
    )


def wait_for_all(pool: Workers, workers: int, work: Callable[[], object]) -> None:
    while pool.count < workers:
        work()


def process_seconds(*command: str, runs: int = 5) -> float:
    """Of a whole process: the lowest of several runs after one to warm up."""
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
from distsearch import session
from distsearch.config import from_flags
from distsearch.problem import datasets
X = np.random.default_rng(0).random((60_000, 784), dtype=np.float32)
dataset = datasets.from_arrays(X, np.arange(60_000) % 10, numbers=False)
del X
flags = {"layers": [128], "population": 256, "workers": 0, "start": "he"}
prepared = session.on_dataset(from_flags(flags), dataset)
state = prepared.strategy.init(prepared.start, 0)
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


def dispatching() -> Iterator[Figure]:
    """What the driver decides, what checkpoints cost, and what goes over the wire."""
    yield Figure("dispatcher, a shard", *_limited(dispatch_seconds() * MICRO, "µs"), 50, False)
    total, saving = checkpoint_seconds()
    yield Figure(
        "run of 12 s with checkpoints", f"{total:.2f} s", f"{total - saving:.2f} s, without", total / (total - saving),
        1.02, False,
    )  # fmt: skip
    prepared = session.prepare(from_flags({"data": "digits", "layers": [64, 32], "population": 1024}))
    state = prepared.strategy.init(prepared.start, 0)
    down = len(pickle.dumps(Trial(prepared.strategy.outgoing(state))))
    up = len(pickle.dumps(prepared.strategy.work(state, prepared.objective, 0, 1024))) / 1024
    weights = prepared.objective.space.weights_count
    yield Figure(
        f"wire: down to a worker, {weights:,} weights", f"{down:,} B", f"{4 * weights:,} B, the weights",
        down / (4 * weights), 1.1, False,
    )  # fmt: skip
    yield Figure("wire: up, a candidate", f"{up:.1f} B", "8 B, a loss", up / 8, 1.1, False)


def _limited(measured: float, unit: str) -> tuple[str, str, float]:
    return f"{measured:.3g} {unit}", f"limit in {unit}", measured


def dispatch_seconds(workers: int = 256, shards: int = 20_000) -> float:
    """The dispatcher's time for a shard: to send it, to hear of it, to look after the time."""
    dispatcher, now = Dispatcher(Policy()), 0.0
    waiting: deque[Send] = deque()
    for started in dispatcher.want(workers, now):
        dispatcher.joined(started.worker, now)
    answered = 0
    waiting.extend(dispatcher.start(range(10 * shards), now))
    began = time.perf_counter()
    while waiting:
        send = waiting.popleft()
        now += 0.05 / workers
        answered += 1
        heard = dispatcher.answered(send.worker, send.shard, now, 0.05)
        waiting.extend(each for each in heard + dispatcher.tick(now) if isinstance(each, Send))
    return (time.perf_counter() - began) / answered


def checkpoint_seconds() -> tuple[float, float]:
    """Of a search of a large network in this process: all, and that of the checkpoints."""
    spent = 0.0
    save = Run.save

    def timed(*given: object) -> None:
        nonlocal spent
        began = time.perf_counter()
        save(*given)  # type: ignore[arg-type]
        spent += time.perf_counter() - began

    Run.save = timed  # type: ignore[method-assign,assignment]
    try:
        total = run_seconds(data="digits", layers=[512, 512], seconds=12.0)
    finally:
        Run.save = save  # type: ignore[method-assign]
    return total, spent


def recovery() -> Iterator[Figure]:
    """What a killed worker costs: kill -9 in mid-round, with a round of half a second."""
    import ray

    from distsearch.workers.ray_pool import RayPool

    prepared = session.prepare(from_flags({"data": "digits", "layers": [64, 32], "population": 2048}))
    state = prepared.strategy.init(prepared.start, 0)
    with RayPool(prepared.strategy, prepared.objective, 2, lambda sentence: None) as pool:
        wait_for_all(pool, 2, lambda: pool.evaluate(state))
        usual = seconds(lambda: pool.evaluate(state), runs=5, at_least=0)
        worker = next(iter(pool._workers.values()))
        number = ray.get(worker.__ray_call__.remote(lambda self: os.getpid()))
        Timer(usual / 2, os.kill, (number, signal.SIGKILL)).start()
        began = time.perf_counter()
        pool.evaluate(state)
        lost = time.perf_counter() - began - usual
    yield Figure("killed worker: its round takes longer by", f"{lost:.2f} s", f"{usual:.2f} s, a round", lost, 2, False)


PARTS: dict[str, Callable[[], Iterator[Figure]]] = {
    "core": single_core,
    "ray": ray_scaling,
    "process": processes,
    "memory": memory,
    "dispatch": dispatching,
    "recovery": recovery,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help=f"which of {', '.join(PARTS)}; all if none")
    chosen = parser.parse_args().parts or list(PARTS)
    console = Console(width=None if sys.stdout.isatty() else 140)
    machine = description()
    console.print(
        f"{machine['processor']}, {cores()} cores; NumPy {machine['numpy']}, {machine['blas']}", highlight=False
    )
    table = Table(box=None, pad_edge=False)
    for name in ("what", "measured", "yardstick", "ratio", "limit", ""):
        table.add_column(name)
    for part in chosen:
        with one_thread():
            for figure in PARTS[part]():
                limit = f"{'≥' if figure.at_least else '≤'} {figure.limit:g}"
                verdict = "met" if figure.met else "missed"
                table.add_row(figure.name, figure.measured, figure.yardstick, f"{figure.ratio:.3g}", limit, verdict)
    console.print(table, highlight=False)


if __name__ == "__main__":
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    main()
