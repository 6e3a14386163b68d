"""Candidates on one core, beside the course's loop and the machine's own matrix product."""

from collections.abc import Callable, Iterator

import numpy as np
from figures import MICRO, Figure, run_seconds
from timing import Watch, in_turns, watch

from distsearch.data import datasets
from distsearch.data.datasets import Dataset
from distsearch.networks.kinds import dense_network
from distsearch.objectives import losses
from distsearch.objectives.network import NetworkObjective, task_of
from distsearch.strategies import create


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


def candidate(
    dataset: Dataset, hidden: tuple[int, ...], strategy_name: str = "hill-climb", **settings: int
) -> tuple[Watch, int]:
    """Times a candidate, noise included; and the multiplications and additions of its forward pass by itself."""
    network = dense_network(len(dataset.schema.features), hidden, dataset.schema.outputs, "relu")
    objective = NetworkObjective.of(dataset, network, losses.create("cross-entropy"))
    examples = len(dataset.train.features)
    task = task_of(network, objective.loss, examples, examples)
    strategy = create(strategy_name, {"population": max(64, 2 * objective.tiling.candidates), **settings}, task)
    state = strategy.init(network.start("he", 0), 0)
    units = strategy.units(state)
    timed = watch(lambda: strategy.work(state, objective, 0, units))
    flops = sum(2 * block.size for block in network.blocks) * examples
    return lambda: timed() / units, flops


def single_core() -> Iterator[Figure]:
    """Candidates on one core."""
    vertical = datasets.load("vertical", numbers=False)
    spiral = datasets.load("spiral", numbers=False)
    course = watch(course_iteration(vertical, 3))
    ours, yardstick = in_turns(candidate(vertical, (3,))[0], course)
    ratio = yardstick / ours
    yield Figure("candidate of 2-3-3 on 300 points", f"{ours * MICRO:.2f} µs", _course(yardstick), ratio, 20, True)
    for name, timed, limit in (
        ("candidate of 2-64-3 on 300 points", candidate(spiral, (64,))[0], 12 / 50),
        ("round of 16 on the chapter, all in", _round_of_16, 80 / 50),
    ):
        ours, yardstick = in_turns(timed, course)
        yield Figure(name, f"{ours * MICRO:.1f} µs", _course(yardstick), ours / yardstick, limit, False)
    yield from beside_sgemm()


def beside_sgemm() -> Iterator[Figure]:
    """A candidate of 64-32-10 and the machine's own matrix product."""
    digits = datasets.load("digits", numbers=False, test_share=0.2)
    matrix = np.random.randn(1024, 1024).astype(np.float32)
    product = watch(lambda: matrix @ matrix)
    name = f"candidate of 64-32-10 on {len(digits.train.features):,} digits"
    for kind, (timed, flops), limit in (
        ("evolution-strategy", candidate(digits, (32,), "evolution-strategy"), 0.6),
        ("its noise of full rank", candidate(digits, (32,), "evolution-strategy", rank=0), None),
        ("hill-climb", candidate(digits, (32,)), None),
    ):
        ours, yardstick = in_turns(timed, product)
        rate, fastest = flops / ours / 1e9, 2 * 1024**3 / yardstick / 1e9
        yield Figure(
            f"{name}, {kind}",
            f"{ours * MICRO:.0f} µs: as if at {rate:.0f} GFLOP/s",
            f"{fastest:.0f} GFLOP/s, sgemm of 1024³",
            rate / fastest,
            limit,
            True,
        )


def _round_of_16() -> float:
    return run_seconds(population=16, rounds=100) / 100  # as long as the other turns


def _course(seconds: float) -> str:
    return f"{seconds * MICRO:.1f} µs, the course's loop"
