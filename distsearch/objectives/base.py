"""What is searched, and what maps candidates to losses: the one contract of strategies, workers and objectives."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from distsearch.candidates.base import Candidates, Tiling
from distsearch.candidates.blocks import Block, NodeLayer
from distsearch.networks.trainable import Experiments

Array = NDArray[np.float32]

FLOAT_BITS = 32


@dataclass(frozen=True, slots=True)
class Traits:
    """What a strategy may want to know of a loss before it has seen any."""

    flat: bool = False
    """Whether the loss is flat between steps, as 0–1 error is."""
    numbers: bool = False
    """Whether the loss compares numbers (regression)."""
    jumps: bool = False
    """Whether the network has activations that jump."""
    bits: int = FLOAT_BITS
    """The fewest bits that weights are rounded to before they are used."""
    whole: bool = False
    """Whether the loss is no mean over examples, but a function of all of them together."""
    by_example: bool = True
    """Whether what a change of one example does to the loss can be told."""

    @property
    def ties(self) -> bool:
        """Whether many candidates have the same loss."""
        return self.flat or self.jumps or self.bits < FLOAT_BITS


@dataclass(frozen=True, slots=True)
class Task:
    """What is searched, and on what terms: made once, before the strategy and the objective, and never changed."""

    weights_count: int
    blocks: tuple[Block, ...] = ()
    """The matrices that the weights make up; none for a function."""
    nodes: tuple[NodeLayer, ...] = ()
    """The nodes that can be moved, layer by layer; none for a function."""
    examples: int = 0
    """Training examples; 0 for a function."""
    batch: int = 0
    """How many of them a round is scored on."""
    rounds: int | None = None
    """How many rounds there are to be, if that is known."""
    traits: Traits = Traits()
    rarest: float = 1.0
    """The share of the examples that are of the rarest class; 1 without classes."""
    constraints: int = 0
    """How many constraints the weights are subject to."""
    validated: bool = False
    """Whether there are examples set aside to choose the best weights by."""

    @property
    def products(self) -> int:
        """Multiplications of a forward pass per example."""
        return sum(layer.products for layer in self.nodes) or self.weights_count

    @property
    def share(self) -> float:
        """The share of the examples that a round sees; 1 for a function."""
        return self.batch / self.examples if self.examples else 1.0

    @property
    def minibatch(self) -> bool:
        """Whether every round sees other examples."""
        return self.batch < self.examples

    @property
    def chosen_by_measuring(self) -> bool:
        """Whether the best weights are not those of the lowest loss in a round, which says too little of them."""
        return self.minibatch or self.validated or self.constraints > 0


class Measurement(NamedTuple):
    """Loss and accuracy on all examples for training, testing and validation; None where there are none."""

    loss: float | None
    accuracy: float | None
    test_loss: float | None
    test_accuracy: float | None
    validation_loss: float | None = None
    validation_accuracy: float | None = None
    metrics: dict[str, float] | None = None
    """Those that were asked for by their names, and on test examples as test-…"""

    @property
    def choosing(self) -> float | None:
        """The loss by which the best weights are chosen: on the validation examples if there are any."""
        return self.loss if self.validation_loss is None else self.validation_loss


class Sums(NamedTuple):
    """What measured weights come to on a part of the examples."""

    correct: float
    """Examples whose class is predicted."""
    loss: NDArray[Any]
    """What the loss needs of the part, (1,) or (1, numbers)."""
    outputs: Array | None = None
    """(outputs, examples), if there are metrics that need them."""


class Nodes(Protocol):
    """What moves the nodes of a network, example by example."""

    def experiments(self, weights: Array, round_number: int, examples: slice) -> Experiments:
        """The forward pass of the weights, (n,), on some of the round's examples, and what moving nodes changes."""
        ...


class Objective(ABC):
    """Maps candidates to losses."""

    tiling: Tiling
    """What is computed together, for candidates that are whole sets of weights."""
    one_by_one: bool = False
    """Whether each candidate is evaluated by itself, so that no loss depends on which others are made with it."""
    nbytes: int = 0
    """The size of its data, in bytes."""
    classes: bool = False
    """Whether it is of classes, and so has an accuracy."""
    foreign: bool = False
    """Whether it runs code of the user's, which may crash or hang: not in the driver, if there are workers."""
    nodes: Nodes | None = None
    """What moves its nodes, if it has any."""
    parts: int = 0
    """Parts of the data that weights are measured on one by one."""

    @property
    def device(self) -> str:
        """The name of the GPU that computes it in this process; empty if it is the processor."""
        return ""

    @abstractmethod
    def losses(self, candidates: Candidates, round_number: int) -> NDArray[np.float64]:
        """The loss of each candidate, (candidates,)."""

    def sums(self, weights: Array, lo: int, hi: int) -> list[Sums]:
        """What the weights, (n,), come to on the parts lo to hi of the examples."""
        return []

    def measurement(self, sums: Sequence[Sums]) -> Measurement:
        """The measurement that all parts add up to."""
        return Measurement(None, None, None, None)

    def under(self, multipliers: NDArray[np.float64] | None) -> "Objective":
        """The same with constraints that are paid for at such rates, see `State.multipliers`."""
        return self

    def measure(self, weights: Array) -> Measurement:
        """Loss and accuracy of the weights, (n,), on all examples of each part, where there is such a thing."""
        return self.measurement(self.sums(weights, 0, self.parts))

    def baseline(self) -> float | None:
        """The loss of the best prediction that is the same for every example, on the test examples if there are any."""
        return None

    def named(self, weights: Array) -> dict[str, Array]:
        """The weights, (n,), as the tensors that are stored."""
        return {"weights": weights}
