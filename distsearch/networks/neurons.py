"""What a layer's neurons make of their sums: nothing, a function of each, or spikes in time."""

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from distsearch.networks.activations import Activation
from distsearch.networks.graph import Graph, Value, cannot_express

Array = NDArray[np.float32]


class Neurons(ABC):
    """Neurons: sums become activations. Columns are examples, or time steps times examples, step by step."""

    times: int = 1
    """Time steps of the activations."""
    jumps: bool = False
    """Whether activations jump."""
    linear: bool = False
    """Whether activations are the sums."""
    bits: int | None = None
    """Activations are whole numbers, up to 2^bits, of a power of two; None if they are not."""
    spiking: bool = False
    """Whether they spike; then they have an `after` of their own, which skips what does not change."""
    smallest_step: float = 0.0
    """The size of the smallest step of their sums that makes sense."""
    waking: np.float32 | None = None
    """A constant sum at which they are barely active, if upward steps are to reach it: otherwise they might die."""
    switches: bool = False
    """Whether activations jump where sums cross zero, and are constant elsewhere."""

    @abstractmethod
    def apply(self, sums: Array, zeros: Array) -> Array:
        """The activations, (experiments, rows, columns), of sums of the same shape, perhaps in their place.

        Unless the layer is the last, the last row is ones, and must stay ones. zeros are (rows, columns).
        """

    def below_others(self, sums: Array, zeros: Array) -> Array:
        """The activations of sums that have a row to spare, which becomes ones for the layer above."""
        sums[:, -1] = 1
        return self.apply(sums, zeros[: sums.shape[1]])

    def express(self, graph: Graph, sums: list[Value]) -> list[Value]:
        """Add them to a graph: the activations of sums, each (examples, numbers), by time step.

        Raises SettingError if there is no such form.
        """
        raise cannot_express(f"the neurons {type(self).__name__}")

    def after(self, before: Array, sums: Array, weights: Array, changes: Array) -> Array:
        """The activations, (experiments, rows, columns), when one input changes in each experiment.

        before are those of no experiment, (rows, columns), of sums, (1, neurons, columns); weights, (experiments,
        neurons), are those of the input, and changes, (experiments, columns), its changes.
        """
        raise NotImplementedError


class Elementwise(Neurons):
    """Neurons that apply a function to each sum."""

    def __init__(self, activation: Activation, times: int = 1) -> None:
        self._activation = activation
        self.times = times
        self.jumps = activation.jumps
        self.bits = activation.bits
        self.switches = activation.switch

    def apply(self, sums: Array, zeros: Array) -> Array:
        """The function of every sum, in its place."""
        self._activation.apply(sums, zeros)
        return sums

    def express(self, graph: Graph, sums: list[Value]) -> list[Value]:
        """The function of every sum."""
        if self._activation.express is None:
            raise cannot_express(f"the activation {getattr(self._activation.apply, '__name__', 'of your own')}")
        return [self._activation.express(graph, value) for value in sums]


class Linear(Neurons):
    """Neurons that return their sums."""

    linear = True

    def __init__(self, times: int = 1) -> None:
        self.times = times

    def apply(self, sums: Array, zeros: Array) -> Array:
        """The sums themselves."""
        return sums

    def express(self, graph: Graph, sums: list[Value]) -> list[Value]:
        """The sums themselves."""
        return sums
