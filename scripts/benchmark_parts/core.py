"""Candidates on one core, beside the course's loop and the machine's own matrix product."""

from collections.abc import Callable, Iterator

import numpy as np
from figures import MICRO, Figure, run_seconds
from timing import seconds

from distsearch.problem import datasets, losses
from distsearch.problem.datasets import Dataset
from distsearch.problem.network import Network
from distsearch.problem.objective import NetworkObjective
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
