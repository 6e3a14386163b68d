"""Tensors of many experiments at once, (experiments, …), beside the tensor that is the same for all without any move.

Where an experiment moves a few nodes, only some columns of a layer's outputs change, and elementwise operations keep it
so; a linear layer above needs only the weights of these columns. That makes an experiment with a node as cheap as in
the network of layers (networks/changes.py). All other operations see tensors in full.
"""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F

from distsearch.networks.modules.engine import in_any_order


class Columns(NamedTuple):
    """What experiments change of a tensor along an axis of nodes: all else is as without any move."""

    values: Any  # (experiments, …), of the tensor's shape with only the changed nodes
    index: Any  # (experiments, changed nodes), integers
    axis: int  # counted from the last one on, below 0

    @property
    def tried(self) -> int:
        """The number of experiments."""
        found: int = self.index.shape[0]
        return found

    def filled(self, base: Any) -> Any:
        """The whole tensors, (experiments, …), from what is the same in all."""
        return self.over(base.expand(self.tried, *base.shape).clone(memory_format=torch.contiguous_format))

    def over(self, whole: Any) -> Any:
        """Whole tensors, (experiments, …), with the changes written into them."""
        with in_any_order():
            return whole.scatter_(self.axis, self._where(), self.values.to(whole.dtype))

    def added_to(self, whole: Any) -> Any:
        """Whole tensors, (experiments, …), with the values added to these columns."""
        with in_any_order():
            return whole.scatter_add(self.axis, self._where(), self.values.to(whole.dtype))

    def of(self, base: Any) -> Any:
        """The same columns of a tensor that is the same in all experiments: (experiments, …)."""
        if not self.index.stride(0):  # the same ones in all experiments
            found = base.index_select(self.axis, self.index[0])
            return found.expand(self.tried, *found.shape)
        found = base.index_select(self.axis, self.index.reshape(-1))
        return found.unflatten(self.axis, self.index.shape).movedim(self.axis - 1, 0)

    def _where(self) -> Any:
        shape = [1] * self.values.dim()
        shape[0], shape[self.axis] = self.index.shape
        return self.index.reshape(shape).expand_as(self.values)


class Rows(NamedTuple):
    """What experiments change of a tensor, (examples, …), for a few examples: all else is as without any move."""

    values: Any  # (changed, …)
    experiments: Any  # (changed,), integers
    examples: Any  # (changed,), integers
    tried: int  # experiments

    def filled(self, base: Any) -> Any:
        """The whole tensors, (experiments, examples, …), from what is the same in all."""
        return self.put(base.expand(self.tried, *base.shape).clone(memory_format=torch.contiguous_format))

    def put(self, whole: Any) -> Any:
        """Whole tensors, (experiments, examples, …), with the changes written into them."""
        with in_any_order():
            whole[self.experiments, self.examples] = self.values
        return whole

    def alike(self, other: Any) -> bool:
        """Whether another value is changed in the same experiments for the same examples."""
        return isinstance(other, Rows) and other.experiments is self.experiments

    def at(self, moved: Any, base: Any) -> Any:
        """Another moved value in the same experiments for the same examples, (changed, …), given it without a move."""
        if self.alike(moved):
            return moved.values
        if not isinstance(moved, Columns):
            return whole(moved, base)[self.experiments, self.examples]
        some = Columns(moved.values[self.experiments, self.examples], moved.index[self.experiments], moved.axis)
        return some.over(base[self.examples])


class Span(NamedTuple):
    """What a value is in experiments that follow each other; in all others it is as without any move."""

    values: Any  # (experiments, …), Columns or Rows
    first: int  # of these experiments

    @property
    def end(self) -> int:
        """One past the last of them."""
        return self.first + count_of(self.values)

    def only(self, number: int) -> Columns:
        """The columns of one of these experiments."""
        at = slice(number - self.first, number - self.first + 1)
        columns: Columns = self.values
        return columns._replace(values=columns.values[at], index=columns.index[at])

    def over(self, first: int, end: int, base: Any) -> Any:
        """The same in more experiments, [first, end), given the value without a move."""
        if (first, end) == (self.first, self.end):
            return self.values
        before, after = (base.expand(count, *base.shape) for count in (self.first - first, end - self.end))
        return torch.cat([before, whole(self.values, base), after])

    def plus(self, added: "Span", base: Any) -> "Span":
        """The same with something added to it, in columns, in perhaps other experiments."""
        first, end = min(self.first, added.first), max(self.end, added.end)
        values = whole(self.over(first, end, base), base)
        if (first, end) == (added.first, added.end):
            return Span(added.values.added_to(values), first)
        some = slice(added.first - first, added.end - first)
        parts = values[: some.start], added.values.added_to(values[some]), values[some.stop :]
        return Span(torch.cat(parts), first)


def whole(moved: Any, base: Any) -> Any:
    """A moved value in full, (experiments, …)."""
    return moved if isinstance(moved, torch.Tensor) else moved.filled(base)


def count_of(moved: Any) -> int:
    """The number of experiments of a moved value."""
    found: int = moved.shape[0] if isinstance(moved, torch.Tensor) else moved.tried
    return found


_ELEMENTWISE_NAMES = (
    *("relu", "relu6", "sigmoid", "tanh", "floor", "ceil", "round", "trunc", "frac", "sign", "sgn", "exp", "exp2"),
    *("expm1", "log", "log1p", "log2", "abs", "absolute", "neg", "negative", "sqrt", "rsqrt", "square"),
    *("reciprocal", "erf", "sin", "cos", "tan", "atan", "sinh", "cosh", "gelu", "silu", "mish", "leaky_relu"),
    *("hardtanh", "softplus", "elu", "selu", "celu", "logsigmoid", "softsign", "tanhshrink", "hardsigmoid"),
    *("hardswish", "hardshrink", "softshrink", "threshold", "clamp", "clip", "clamp_min", "clamp_max", "add"),
    *("sub", "subtract", "rsub", "mul", "multiply", "div", "divide", "true_divide", "floor_divide", "remainder"),
    *("fmod", "pow", "maximum", "minimum", "gt", "ge", "lt", "le", "eq", "ne", "greater", "less", "where"),
    *("heaviside", "logical_and", "logical_or", "logical_not", "logical_xor", "bitwise_and", "bitwise_or"),
    *("bitwise_not", "lerp", "float", "double", "half", "to", "bool", "int", "long", "isfinite", "isnan", "isinf"),
    *("__eq__", "__ne__", "__gt__", "__ge__", "__lt__", "__le__"),
    *("masked_fill", "__radd__", "__rsub__", "__rmul__", "__rdiv__", "__rtruediv__", "__rpow__", "__invert__"),
    *("__and__", "__or__", "__xor__", "__pow__", "detach", "clone", "dropout"),
)
ELEMENTWISE = {
    found
    for name in _ELEMENTWISE_NAMES
    for room in (torch, torch.Tensor, F)
    if callable(found := getattr(room, name, None)) and not isinstance(found, type)
}
"""Functions each element of whose result depends on the elements in the same place of the tensors given."""

LINEAR = {F.linear: True, torch.matmul: False, torch.mm: False}
LINEAR |= {getattr(torch.Tensor, name): False for name in ("matmul", "__matmul__", "mm")}
"""Functions that multiply by a matrix, and whether by its transpose."""


def with_axes(tensor: Any, most: int) -> Any:
    """A tensor, (experiments or 1, …), with so many axes, so that it broadcasts as that of one experiment does."""
    if tensor.dim() == most:
        return tensor
    return tensor.reshape(len(tensor), *[1] * (most - tensor.dim()), *tensor.shape[1:])


def linear_after(columns: Columns, base: Any, outputs: Any, weight: Any) -> Any:
    """What a linear layer returns, (experiments, …, outputs), when columns of its inputs change.

    base and outputs are its inputs and outputs without a move; weight is (inputs, outputs).
    """
    change = columns.values - columns.of(base)  # (experiments, …, changed)
    rows = weight[columns.index]  # (experiments, changed, outputs)
    experiments, changed = columns.index.shape
    flat, change = outputs.reshape(-1, outputs.shape[-1]), change.reshape(experiments, -1, changed)
    if changed == 1:
        found = torch.addcmul(flat, change, rows)
    else:
        found = torch.baddbmm(flat.expand(experiments, *flat.shape), change, rows)
    return found.reshape(experiments, *outputs.shape)
