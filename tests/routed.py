"""Layers that choose by argmax, compared with forward passes by hand in float64."""

import pickle
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np

from distsearch.candidates.pairs import FullRank, LowRank, Pairs, Products, factors_width
from distsearch.networks.building import Builder, Design
from distsearch.networks.kinds import KINDS
from distsearch.networks.layers import dense
from distsearch.networks.network import Network
from distsearch.networks.nodes import NodeExperiments
from distsearch.objectives import losses
from distsearch.objectives.batches import with_ones

SIGMA = 0.3

Move = tuple[str, int, np.ndarray]
"""The name of some nodes, the number of one (or of a place), and a step per example."""
Forward = Callable[[np.ndarray, "Move | None"], np.ndarray]
"""Outputs, (examples, outputs), for the weights by name and a move."""


def network(
    layers: str | tuple, activation: str = "relu", inputs: int = 5, outputs: int = 3, times: int = 1, **design
) -> Network:
    """The network built from layer words, whose inputs may have several time steps."""
    words = tuple(map(_word, layers.split() if isinstance(layers, str) else layers))
    builder = Builder(Design(words, tuple(activation.split()), **design), KINDS, (inputs,), times=times)
    for word in words:
        builder.add(word)
    output = dense.output_layer(outputs, builder)
    builder.check_counts()
    return Network([*builder.layers, output], builder.matrices)


def _word(word):
    return int(word) if str(word).isdigit() else word


def weights_of(some: Network, seed: int = 0) -> np.ndarray:
    """Weights, including biases, that are large enough to matter."""
    return np.random.default_rng(seed).normal(size=some.weights_count).astype(np.float32) * np.float32(0.7)


def data(inputs: int = 5, examples: int = 40, classes: int = 3, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Features, (examples, inputs), and labels."""
    generator = np.random.default_rng(seed)
    return generator.normal(size=(examples, inputs)).astype(np.float32), generator.integers(0, classes, examples)


def cross_entropies(outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Each example's loss by hand, (examples,)."""
    shifted = outputs - outputs.max(axis=1, keepdims=True)
    return np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels]


class Estimates:
    """Estimates of node perturbation for a network on some data, whose outputs are means over time."""

    def __init__(
        self, some: Network, weights: np.ndarray, features: np.ndarray, labels: np.ndarray, times: int = 1
    ) -> None:
        targets = np.eye(labels.max() + 1, dtype=np.float32)[:, labels]
        each = losses.create("cross-entropy").each
        self.network = some
        self.layers = some.node_layers

        def losses_of(outputs: np.ndarray) -> np.ndarray:
            return each(outputs.reshape(*outputs.shape[:2], times, -1).mean(axis=2), targets)

        self._tried = NodeExperiments(some, weights, with_ones(features), losses_of)
        self.losses = self._tried.losses
        moves = sum(layer.nodes * layer.places for layer in self.layers)
        self.signs = np.random.default_rng(3).choice(np.float32([-1, 1]), (moves, len(labels)))

    def gradient(self, sigma: float = SIGMA, groups: int = 99, ends: Sequence[int] | None = None) -> np.ndarray:
        """The summed gradients, over all examples, of the weights of the nodes from the first to the last end."""
        ends = [0, len(self.signs)] if ends is None else ends
        found = np.full(self.starts(ends)[-1] - self.starts(ends)[0], np.nan, np.float32)
        self._tried.gradient(ends, self.signs[ends[0] : ends[-1]], sigma, groups, found)
        return found

    def ends(self) -> list[int]:
        """The moves at which nodes begin, and one past the last."""
        found = [0]
        for layer in self.layers:
            found += [found[-1] + layer.places * number for number in range(1, layer.nodes + 1)]
        return found

    def starts(self, ends: Sequence[int]) -> list[int]:
        """The first weight of the nodes that begin at these moves."""
        known, moves, weights = {0: 0}, 0, 0
        for layer in self.layers:
            for _ in range(layer.nodes):
                moves, weights = moves + layer.places, weights + layer.width
                known[moves] = weights
        return [known[end] for end in ends]

    def split_gradient(self, groups: int, ends: Sequence[int]) -> np.ndarray:
        """The gradient, computed separately for the nodes between neighbouring ends."""
        return np.concatenate([self.gradient(groups=groups, ends=pair) for pair in pairwise(ends)])


def slopes(forward: Callable[[Move | None], np.ndarray], labels: np.ndarray, move: Move) -> np.ndarray:
    """The change of each example's loss by a move, divided by its step, (examples,), by hand."""
    before, after = (cross_entropies(forward(each), labels) for each in (None, move))
    return (after - before) / move[2]


def shifted(move: Move | None, name: str, sums: np.ndarray) -> np.ndarray:
    """Sums, (examples, nodes), with the move applied if it is one of these nodes."""
    if move is None or move[0] != name:
        return sums
    sums = sums.copy()
    sums[:, move[1]] += np.tile(move[2], len(sums) // len(move[2]))  # the step is the same at every time
    return sums


def in_time(values: np.ndarray, times: int) -> np.ndarray:
    """The mean over time of values, (times · examples, numbers): (examples, numbers)."""
    return values.reshape(times, -1, values.shape[1]).mean(axis=0)


def size(inputs: np.ndarray) -> float:
    """√(2 · the mean square of inputs)."""
    return float(np.sqrt(2 * np.mean(inputs.astype(np.float64) ** 2)))


def central_differences(loss: Callable[[np.ndarray], float], weights: np.ndarray) -> np.ndarray:
    """The gradient of a loss in float64, (n,), with steps too small for anything to jump."""
    steps = np.eye(len(weights)) * 1e-6
    return np.array([(loss(weights + step) - loss(weights - step)) / 2e-6 for step in steps])


KINDS_OF_CANDIDATES = ["full rank", "low rank"]


def candidates_of(kind: str, some: Network) -> FullRank | LowRank:
    """A center and two mirrored pairs around it."""
    around = Pairs(0, 5), weights_of(some), Products(), some.blocks
    drawn = np.random.default_rng(3)
    if kind == "full rank":
        return FullRank(*around, np.float32(0.1) * drawn.normal(size=(2, some.weights_count)).astype(np.float32))
    return LowRank(*around, drawn.normal(size=(2, factors_width(some.blocks, 2))).astype(np.float32), 2, 0.1)


def copied(some: Network) -> Network:
    """The network as it arrives at a worker."""
    return pickle.loads(pickle.dumps(some))  # noqa: S301  (our own)


def by_layer(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The tensors in float64."""
    return {name: array.astype(np.float64) for name, array in tensors.items()}
