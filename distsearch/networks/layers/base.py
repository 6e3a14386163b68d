"""The contract of layers: the forward pass of many candidates, and what moving nodes changes, for node perturbation.

Activations are (candidates, rows, columns): a row for each of the layer's numbers, and a last row of ones, so that the
next layer's product includes its biases (the output layer has none); a column for each example or, above spiking
neurons, for each time step and example, all examples of the first step first.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from distsearch.candidates.base import Candidates, Shared
from distsearch.candidates.blocks import Block
from distsearch.networks.changes import Change, Reach
from distsearch.networks.exactness import sum_of_squares
from distsearch.networks.graph import Graph, Value, cannot_express
from distsearch.networks.initial import Start

Array = NDArray[np.float32]

CACHE_BYTES = 2 * 1024 * 1024  # of the processor's cache, in which activations should fit
SMALLEST_SIZE = 0.01


class Trace(Protocol):
    """A forward pass of one set of weights through a layer, kept to see what moving nodes changes."""

    @property
    def activations(self) -> Array:
        """The layer's activations, (rows, columns)."""
        ...


class Stage(ABC):
    """Something that a change below goes through: a layer, or how a block joins what it has to what it is given."""

    @abstractmethod
    def after(self, trace: Any, change: Change) -> Change:
        """What a change in the activations below changes in those of the layer."""

    @abstractmethod
    def reached(self, below: Reach) -> Reach:
        """How far that reaches, and its cost."""


class Nodes(ABC):
    """The nodes of a layer: the sums through which its weights affect an example, moved one group at a time.

    A node with several places, as a channel of a convolution has, is moved at each by itself, and its weights' gradient
    is the sum over all. A move is a node at a place; moves are numbered node by node.
    """

    nodes: int
    places: int = 1
    width: int
    """The number of each node's weights, which follow each other."""
    tied: bool = False
    """Whether there is one node, whose places are moved side by side, as nodes are: `at` are its places then."""

    @property
    def products(self) -> int:
        """Multiplications per example of the forward pass to the nodes."""
        return self.nodes * self.width

    @abstractmethod
    def size(self, trace: Any) -> float:
        """The size of a step: about that of the sums that initial weights would give. Never 0.

        (That of the sums themselves would grow with the weights, and so would the steps.)
        """

    def steps(self, trace: Any, signs: Array, at: slice, sigma: float) -> Array:
        """The steps of the nodes `at`, (their moves, examples), of these signs: σ times the size."""
        return signs * np.float32(sigma * self.size(trace))

    def aimed(self, trace: Any, steps: Array, at: slice) -> Array:
        """Steps of single nodes `at`, (nodes, places, examples), in directions in which they may change something."""
        return steps

    @abstractmethod
    def moved(self, trace: Any, steps: Array, at: slice, group: int, place: int) -> Change:
        """What moving the nodes `at` by steps, (nodes, examples), changes in the layer's activations at a place."""

    @abstractmethod
    def reach(self) -> Reach:
        """How far a move reaches in the layer's own activations."""

    @abstractmethod
    def gradient(self, trace: Any, slopes: Array, at: slice, out: Array) -> None:
        """Write the gradient of the weights of the nodes `at`, (nodes, width), to `out`.

        slopes, (nodes, places, examples), are those of each example's loss along each move.
        """


class Above(NamedTuple):
    """A stage that changes go through, and its part of the forward pass."""

    stage: Stage
    trace: Any


class Movable(NamedTuple):
    """Nodes, the forward pass through their layer, and all stages within the layer that are above them."""

    nodes: Nodes
    trace: Any
    above: tuple[Above, ...] = ()

    def reach(self) -> Reach:
        """How far a move reaches, and what it costs."""
        reach = self.nodes.reach()
        for above in self.above:
            reach = above.stage.reached(reach)
        return reach


class Layer(Stage):
    """A layer of a network."""

    kind: ClassVar[str]
    """The word that its tensors are called by."""
    shape: tuple[int, ...]
    """The shape of its activations for one example: (neurons,), or (channels, height, width)."""
    blocks: tuple[Block, ...] = ()
    """The matrices that hold its weights, in order."""
    times: int = 1
    """Time steps of its activations."""
    jumps: bool = False
    """Whether its activations jump."""
    bits: int | None = None
    """Its activations are whole numbers, up to 2^bits, of a power of two; None if they are not."""
    last: bool = False
    """Whether it is the output layer, whose activations have no row of ones."""

    @property
    def outputs(self) -> int:
        """The number of its activations."""
        return math.prod(self.shape)

    @property
    def rows(self) -> int:
        """The number of rows of its activations."""
        return self.outputs + (not self.last)

    @property
    def memory(self) -> int:
        """The numbers kept per candidate and example."""
        return self.rows * self.times

    @property
    def windows(self) -> int:
        """How many columns of its products there are for each example."""
        return 1

    @abstractmethod
    def buffers(self, candidates: int, examples: int) -> Any:
        """Allocate what the forward pass of this many candidates on this many examples needs."""

    @abstractmethod
    def forward(self, candidates: Candidates, below: Shared | Array, buffers: Any) -> Array:
        """The layer's activations, in its buffers, from those below."""

    @abstractmethod
    def trace(self, weights: Array, below: Array) -> Trace:
        """The forward pass of some weights, (n,), through the layer, from activations below, (rows, columns)."""

    def express(self, graph: Graph, weights: Array, below: list[Value]) -> list[Value]:
        """Add the forward pass of some weights, (n,), to a graph: its activations from those below, by time step.

        Each is (examples, numbers). Raises SettingError if there is no such form.
        """
        raise cannot_express(f"a layer of the kind {self.kind}")

    def movable(self, trace: Any = None) -> Iterator[Movable]:
        """Its nodes, in the order of their weights; none for a layer without weights."""
        return iter(())

    def scale_start(self, weights: Array, deviation: Start) -> None:
        """Scale standard normal weights, (n,), in place, by `deviation` of inputs and outputs; biases become zero."""

    def named(self, weights: Array) -> Iterator[tuple[str, Array]]:
        """Its tensors, by the names that they are stored under."""
        return iter(())

    def take(self, arrays: dict[str, Array], weights: Array) -> None:
        """Write its tensors from `named` into the flat weights, (n,). Raises KeyError or ValueError if not its own."""


def tensors_of(layers: Iterable[tuple[str, Layer]], weights: Array) -> Iterator[tuple[str, Array]]:
    """The tensors of several layers, each under its layer's name and its own."""
    for name, layer in layers:
        for tensor, array in layer.named(weights):
            yield f"{name}.{tensor}", array


def take_all(layers: Iterable[tuple[str, Layer]], arrays: dict[str, Array], weights: Array) -> int:
    """Write what `tensors_of` gave into the flat weights, (n,), and return how many tensors that were.

    Raises KeyError or ValueError, naming the layer, if they are those of other layers.
    """
    taken = 0
    for name, layer in layers:
        prefix = f"{name}."
        own = {each.removeprefix(prefix): array for each, array in arrays.items() if each.startswith(prefix)}
        try:
            layer.take(own, weights)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        taken += len(own)
    return taken


def one_each(below: Shared | Array, candidates: int) -> Array:
    """Activations below, (candidates, rows, columns), also of those that all candidates share."""
    return np.repeat(below.array[np.newaxis], candidates, axis=0) if isinstance(below, Shared) else below


def mean_size(inputs: Array, by_blas: bool = True) -> float:
    """√(2 · the mean square of a layer's inputs), (inputs + 1, columns), but never close to zero.

    That is the deviation of the sums that initial weights (he) would give.
    """
    flat = inputs.ravel(order="K")  # in memory order, including the row of ones
    squares = (float(np.vdot(flat, flat)) if by_blas else sum_of_squares(flat)) - inputs.shape[1]
    return max(SMALLEST_SIZE, math.sqrt(max(0.0, 2 * squares / (inputs.size - inputs.shape[1]))))
