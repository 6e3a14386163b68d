"""The contract of networks: whatever has flat weights, (n,), and maps inputs to outputs.

`networks.network.Network`, a stack of layers computed with NumPy, is one; a torch module is another.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from distsearch.candidates.base import Candidates, Shared
from distsearch.candidates.blocks import Block, NodeLayer
from distsearch.networks.graph import Graph, Value
from distsearch.networks.matrices import Matrix

Array = NDArray[np.float32]

ONE = np.float64(1)


class LossesOf(Protocol):
    """Says what each example's loss is."""

    def __call__(self, outputs: Array, examples: NDArray[np.intp] | None = None, /) -> Array:
        """Every example's loss, (experiments, examples), from outputs, (experiments, outputs, examples): scratch.

        They are of all examples, or of those whose numbers are given.
        """
        ...


class Experiments(Protocol):
    """What moving nodes changes in the forward pass of some weights on some examples."""

    loss: np.float64
    """The mean over the examples of their losses without any move, as it is reported."""

    def gradient(self, ends: Sequence[int], signs: Array, sigma: float, groups: int | None, out: Array) -> None:
        """Write the sum over examples of the gradients of some nodes' weights to `out`, (their weights,).

        They are estimated by moving the nodes from ends[0] to ends[-1] by ±σ, in `groups` groups per layer; signs are
        (nodes, examples). The bits of each part between two ends do not depend on what else is computed.
        """
        ...


class Described(NamedTuple):
    """A layer, for people."""

    kind: str
    shape: tuple[int, ...]  # of its activations
    weights: int
    bits: tuple[int, ...]  # of its weights, where they differ of some


class Trainable(ABC):
    """A network whose weights can be searched."""

    blocks: tuple[Block, ...]
    """The matrices into which the weights are divided, in order."""
    weights_count: int
    matrices: tuple[Matrix, ...] = ()
    """Those of the weights that may be rounded."""
    drawn: int = 0
    """The seed that what is not searched of it, and not stored, is drawn from."""
    named_by: str = "--layers"
    """The setting that says which network it is."""
    one_by_one: bool = False
    """Whether each candidate is evaluated by itself, so that no output depends on which others are made with it."""

    tile_bytes: int | None = None
    """The bytes of activations that are computed together; if not set, they fit the processor's cache."""

    @property
    def notes(self) -> list[str]:
        """Sentences on what may surprise those who bring it."""
        return []

    @property
    def device(self) -> str:
        """The name of the GPU that computes it in this process; empty if it is the processor."""
        return ""

    @property
    @abstractmethod
    def outputs(self) -> int:
        """The number of outputs for an example."""

    @property
    @abstractmethod
    def jumps(self) -> bool:
        """Whether any activation jumps."""

    @property
    @abstractmethod
    def neurons(self) -> int:
        """The number of activations kept per candidate and example."""

    @property
    @abstractmethod
    def windows(self) -> int:
        """The most columns that any of its products has for an example: more than 1 for convolutions."""

    @property
    @abstractmethod
    def node_layers(self) -> tuple[NodeLayer, ...]:
        """The nodes of each layer, and the cost of an experiment with some of them; empty if none can be moved."""

    @abstractmethod
    def described(self) -> list[Described]:
        """Its layers, for people."""

    @abstractmethod
    def start(self, kind: str | None, seed: int) -> Array:
        """The initial weights, (n,), of a kind by name; its own if None. Raises SettingError if it is unknown."""

    def redraw(self, seed: int) -> None:  # noqa: B027  (most have nothing of the kind)
        """Draw what is neither searched nor stored of it from a seed; layers have nothing of the kind."""

    @abstractmethod
    def forward(self, candidates: Candidates, inputs: Shared) -> Array:
        """The outputs of every candidate, (candidates, outputs, examples), which may be overwritten soon.

        inputs are (features + 1, examples), their last row ones.
        """

    @abstractmethod
    def express(self, graph: Graph, weights: Array, features: Value) -> Value:
        """Add the forward pass of some weights, (n,), to a graph: (examples, outputs) from (examples, features).

        SettingError if it has no such form.
        """

    @abstractmethod
    def experiments(self, weights: Array, inputs: Array, losses_of: LossesOf, unit: np.float64 = ONE) -> Experiments:
        """The forward pass of the weights, (n,), on inputs, and what moving nodes changes in it.

        Its loss is reported in units of `unit`.
        """

    def scored(
        self,
        candidates: Candidates,
        inputs: Array,
        targets: NDArray[Any],
        value: Callable[[Any, Any, int], float],
        draw: float,
    ) -> list[float]:
        """What `value` makes of a torch module with each candidate's weights, a batch, and the number of its examples.

        inputs are (features + 1, examples). `draw`, in [0, 1), says which random numbers are drawn meanwhile.
        """
        raise AssertionError("only a torch module is scored by a loss that takes one")

    @abstractmethod
    def rounded(self, weights: Array) -> Array:
        """The flat weights, (n,), as the forward pass sees them."""

    @abstractmethod
    def named(self, weights: Array) -> dict[str, Array]:
        """The flat weights as the tensors that are stored."""

    @property
    def frozen(self) -> dict[str, Array]:
        """What of the tensors that are stored is not searched: it has one value for all weights."""
        return {}

    def adopt(self, arrays: Mapping[str, Array]) -> None:  # noqa: B027  (most have nothing that is frozen)
        """Give what is frozen the values that it has among tensors that `flat` takes."""

    @abstractmethod
    def flat(self, arrays: dict[str, Array]) -> Array:
        """The flat weights, (n,), from what `named` returned. Raises KeyError or ValueError if of another network."""
