"""Problems that tests search on."""

import numpy as np

from distsearch.problem import datasets, losses
from distsearch.problem.network import Network
from distsearch.problem.objective import FunctionObjective, NetworkObjective


def network_objective(
    source: str = "vertical",
    hidden: tuple[int, ...] = (3,),
    activation: str = "relu",
    loss: str = "cross-entropy",
) -> NetworkObjective:
    dataset = datasets.load(source, numbers=losses.create(loss).numbers)
    network = Network(len(dataset.schema.features), hidden, dataset.schema.outputs, activation)
    return NetworkObjective.of(dataset, network, losses.create(loss))


def sphere(weights: np.ndarray) -> float:
    """Σ (w − 1)²: 10 at the origin of ten dimensions, 0 at its lowest."""
    return float(((weights.astype(np.float64) - 1) ** 2).sum())


def sphere_objective(weights_count: int = 10) -> FunctionObjective:
    return FunctionObjective(sphere, weights_count)
