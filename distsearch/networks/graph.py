"""A network's forward pass as a graph of a few operations, those of ONNX by their names: what exports are made from.

Values are (examples, numbers), or (examples, channels, height, width) within layers of images. What has time steps is a
list of values, one for each step: networks in time are unrolled.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distsearch.errors import SettingError

Value = str
"""The name of a value."""
Operand = Value | float | NDArray[Any]
"""A value, or a constant: a number becomes float32."""


class Node(NamedTuple):
    """An operation of ONNX (opset 18), and what it is called with."""

    operation: str
    inputs: tuple[Value, ...]
    output: Value
    attributes: dict[str, Any]
    others: tuple[Value, ...] = ()
    """What else it returns; only operations that torch has written do."""

    @property
    def outputs(self) -> tuple[Value, ...]:
        """All that it returns; what it leaves out is empty."""
        return self.output, *self.others


class Graph:
    """Operations in the order in which they can be computed, and the constants among their inputs."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.constants: dict[Value, NDArray[Any]] = {}
        self._known: dict[tuple[str, tuple[int, ...], bytes], Value] = {}
        self._counts: dict[str, int] = {}
        self._made: dict[Value, Node] = {}

    def add(self, operation: str, *operands: Operand, **attributes: Any) -> Value:
        """Add an operation, and return the name of its value."""
        inputs = tuple(each if isinstance(each, str) else self.constant(each) for each in operands)
        node = Node(operation, inputs, f"h{len(self.nodes) + 1}", attributes)
        self.nodes.append(node)
        self._made[node.output] = node
        return node.output

    def add_with(
        self, operation: str, inputs: Sequence[Value], outputs: int, attributes: dict[str, Any]
    ) -> tuple[Value, ...]:
        """Add an operation that returns several values, and return their names."""
        name = f"h{len(self.nodes) + 1}"
        node = Node(operation, tuple(inputs), name, attributes, tuple(f"{name}_{more}" for more in range(1, outputs)))
        self.nodes.append(node)
        return node.outputs

    def constant(self, value: float | NDArray[Any], prefix: str = "c") -> Value:
        """The name of a constant, the prefix and a number; equal ones are one."""
        array = np.ascontiguousarray(value, None if isinstance(value, np.ndarray) else np.float32)
        array = array.reshape(np.shape(value))  # which ascontiguousarray does not leave () as it is
        key = array.dtype.str, array.shape, array.tobytes() if array.dtype != object else repr(array.tolist()).encode()
        if key not in self._known:
            self._counts[prefix] = self._counts.get(prefix, 0) + 1
            self._known[key] = f"{prefix}{self._counts[prefix]}"
            self.constants[self._known[key]] = array
        return self._known[key]

    def linear(self, value: Value, matrix: NDArray[np.float32]) -> Value:
        """W x + b of each example, from (outputs, inputs + 1), whose last column are the biases."""
        weights = self.constant(np.ascontiguousarray(matrix[:, :-1].T), "W")
        return self.add("Gemm", value, weights, self.constant(np.ascontiguousarray(matrix[:, -1]), "b"))

    def reshaped(self, value: Value, *shape: int) -> Value:
        """The value as (examples, *shape)."""
        made = self._made.get(value)
        if made is not None and made.operation == "Reshape":
            value = made.inputs[0]
        return self.add("Reshape", value, np.array((-1, *shape), np.int64))

    def truth(self, operation: str, left: Operand, right: Operand) -> Value:
        """1 where a comparison holds, else 0."""
        return self.add("Cast", self.add(operation, left, right), to="float32")

    def strongest(self, scores: Value) -> Value:
        """The number of the largest of each example's scores, (examples,), the first of equals."""
        return self.add("ArgMax", scores, axis=1, keepdims=0)

    def needed(self, outputs: Sequence[Value]) -> "Graph":
        """The graph without what the outputs do not need."""
        wanted, kept = set(outputs), []
        for node in reversed(self.nodes):
            if not wanted.isdisjoint(node.outputs):
                kept.append(node)
                wanted.update(node.inputs)
        small = Graph()
        small.nodes = kept[::-1]
        small.constants = {name: array for name, array in self.constants.items() if name in wanted}
        return small


def cannot_express(what: str) -> SettingError:
    """The error for a part of a network that has no such form."""
    return SettingError(
        f"{what} cannot be exported as a graph: it has no method `express` (see distsearch.networks.graph); "
        "export the weights alone, to a .safetensors file"
    )
