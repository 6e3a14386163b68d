"""Node perturbation of a network, for comparison with its losses."""

import numpy as np

from distsearch.candidates.base import Dense, Shared
from distsearch.networks.network import Network
from distsearch.networks.nodes import NodeExperiments
from distsearch.objectives import losses
from distsearch.objectives.batches import with_ones

LOSS = losses.create("cross-entropy")
STEP = 1e-2


def targets_for(made: Network, examples: np.ndarray) -> np.ndarray:
    """Classes drawn at random, (outputs, examples)."""
    outputs = made.layers[-1].outputs
    return np.eye(outputs, dtype=np.float32)[np.random.default_rng(7).integers(0, outputs, len(examples))].T.copy()


def moves_of(made: Network) -> int:
    """The number of nodes, times the places of each."""
    return sum(movable.nodes.nodes * movable.nodes.places for movable in made.movable())


def experiments_on(made: Network, weights: np.ndarray, examples: np.ndarray) -> NodeExperiments:
    targets = targets_for(made, examples)
    return NodeExperiments(made, weights, with_ones(examples), lambda outputs: LOSS.each(outputs, targets))


def signs_for(made: Network, examples: np.ndarray, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).choice(np.float32([-1, 1]), (moves_of(made), len(examples)))


def gradient_of(
    made: Network,
    weights: np.ndarray,
    examples: np.ndarray,
    seed: int = 0,
    *,
    sigma: float = 0.01,
    groups: int | None = 1000,
) -> np.ndarray:
    """The estimated gradient of the summed loss, (n,); anything not written stays NaN."""
    signs, found = signs_for(made, examples, seed), np.full_like(weights, np.nan)
    experiments_on(made, weights, examples).gradient([0, len(signs)], signs, sigma, groups, found)
    return found


def in_parts(made: Network, weights: np.ndarray, examples: np.ndarray, groups: int | None) -> np.ndarray:
    """The same gradient, assembled from experiments on one layer's nodes at a time."""
    signs, found, first, written = signs_for(made, examples), np.full_like(weights, np.nan), 0, 0
    for movable in list(made.movable()):
        last, size = first + movable.nodes.nodes * movable.nodes.places, movable.nodes.nodes * movable.nodes.width
        tried = experiments_on(made, weights, examples)
        tried.gradient([first, last], signs[first:last], 0.01, groups, found[written : written + size])
        first, written = last, written + size
    return found


def central_differences(made: Network, weights: np.ndarray, examples: np.ndarray) -> np.ndarray:
    """The gradient of the summed loss by central differences of the weights, (n,)."""
    inputs, targets = Shared(with_ones(examples)), targets_for(made, examples)
    gradient = np.empty(len(weights))
    for place in range(len(weights)):
        sides = np.stack([weights, weights])
        sides[:, place] += [STEP, -STEP]
        ahead, behind = LOSS.total(made.forward(Dense(sides), inputs), targets)
        gradient[place] = (float(ahead) - float(behind)) / (2 * STEP)
    return gradient
