"""Sees every call of torch in a module's forward pass, and knows which of them are layers of its parameters.

A layer's weights may be a parameter or what elementwise operations have made of one (rounded or signed weights).
"""

from abc import abstractmethod
from collections.abc import Mapping
from types import NoneType
from typing import Any, NamedTuple

import torch
from torch.overrides import TorchFunctionMode

from distsearch.networks.modules.columns import ELEMENTWISE
from distsearch.networks.modules.kinds import Kind, kind_of
from distsearch.networks.modules.unrolling import UNROLLED

_TRANSPOSING = {
    *(torch.t, torch.transpose, torch.swapaxes, torch.swapdims),
    *(getattr(torch.Tensor, name) for name in ("t", "transpose", "swapaxes", "swapdims")),
    *(getattr(torch.Tensor, name).__get__ for name in ("T", "mT", "H", "mH")),
}
_PERMUTING = {torch.permute, torch.Tensor.permute}
_KEEPING = {
    *ELEMENTWISE,
    torch.Tensor.data.__get__,
    *(getattr(torch.Tensor, name) for name in ("contiguous", "bfloat16", "type", "type_as", "nan_to_num", "copysign")),
}
"""Functions whose results have each element of a parameter in its place."""


PLAIN = (int, float, str, slice, torch.dtype, NoneType)
"""Kinds of arguments that no tensor is in."""


class Source(NamedTuple):
    """The parameter that a tensor is, or is made of; perhaps transposed."""

    name: str
    transposed: bool = False


class Layer(NamedTuple):
    """A layer of some parameters, in the user's code."""

    kind: str
    weight: str
    bias: str | None
    across: bool
    axis: int  # of the nodes in its outputs
    beside: tuple[str, ...] = ()  # further parameters, in front of the weights

    @property
    def names(self) -> tuple[str, ...]:
        """All of its parameters, in the order in which a node has them."""
        return (*self.beside, self.weight, *([self.bias] if self.bias is not None else []))


class Operation(NamedTuple):
    """A call of torch, whose arguments include `used` parameters; it may be a layer of them."""

    func: Any
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    layer: tuple[Layer, Kind] | None
    used: set[Source]

    def done(self) -> Any:
        """What it returns."""
        return self.func(*self.args, **self.kwargs)


class Watching(TorchFunctionMode):  # type: ignore[misc]  # torch's types are skipped
    """A forward pass that is looked at; one for each."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        super().__init__()
        self.inside = False
        """Whether a smaller operation is called in the place of one that hides layers."""
        self._sources: dict[int, tuple[Any, Source]] = {
            id(tensor): (tensor, Source(name)) for name, tensor in parameters.items()
        }

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """What the function returns, or what `called` makes of it."""
        kwargs = kwargs or {}
        if func in UNROLLED and (found := self._unrolled(func, args, kwargs)) is not None:
            return found
        used = {source for each in tensors_in((args, kwargs)) if (source := self._source(each))}
        if not used:
            return self.called(Operation(func, args, kwargs, None, used))
        kind = kind_of(func, args, kwargs)
        layer = self._layer(kind) if kind else None
        returned = self.called(Operation(func, args, kwargs, (layer, kind) if layer and kind else None, used))
        if layer is None and len(used) == 1:
            self._derive(func, args, used.pop(), returned)
        return returned

    def _unrolled(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """What an operation that hides layers returns, by smaller ones that are watched; None if it stays as it is."""
        self.inside = True
        try:
            return UNROLLED[func](lambda each, *given: self.__torch_function__(each, (), given), *args, **kwargs)
        finally:
            self.inside = False

    @abstractmethod
    def called(self, operation: Operation) -> Any:
        """Do the operation, or whatever takes its place, and return what comes of it."""

    def _source(self, tensor: Any) -> Source | None:
        found = self._sources.get(id(tensor))
        return found[1] if found else None

    def _layer(self, kind: Kind) -> Layer | None:
        weight, bias = self._source(kind.weight), self._source(kind.bias)
        if weight is None or self._source(kind.inputs) is not None or (bias is None and not _stays(kind.bias)):
            return None
        beside = tuple(source.name for each in kind.beside if (source := self._source(each)))
        across = kind.across != weight.transposed
        return Layer(kind.name, weight.name, bias.name if bias else None, across, kind.node_axis, beside)

    def _derive(self, func: Any, args: tuple[Any, ...], source: Source, returned: Any) -> None:
        """Note that what is returned is the parameter, changed element by element or transposed, if it is."""
        if not isinstance(returned, torch.Tensor) or not self.is_constant(returned):
            return
        first = self._first_shape(source)
        turns = func in _TRANSPOSING or func in _PERMUTING
        if not (func in _KEEPING or (turns and len(first) == 2)):
            return
        transposed = source.transposed
        if func in _TRANSPOSING or (func in _PERMUTING and _turned(args)):
            transposed = not transposed
        if tuple(returned.shape) == (first[::-1] if transposed else first):
            self._sources[id(returned)] = returned, Source(source.name, transposed)

    def is_constant(self, tensor: Any) -> bool:
        """Whether a tensor does not depend on the data, as far as is known."""
        return True

    def _first_shape(self, source: Source) -> tuple[int, ...]:
        return next(tuple(tensor.shape) for tensor, other in self._sources.values() if other == Source(source.name))


def _turned(args: tuple[Any, ...]) -> bool:
    """Whether the arguments of a permutation of two axes exchange them."""
    axes = args[1] if len(args) == 2 else args[1:]
    return [axis % 2 for axis in axes] == [1, 0]


def _stays(bias: Any) -> bool:
    """Whether there are no biases, or frozen ones."""
    return bias is None or (isinstance(bias, torch.nn.Parameter) and not bias.requires_grad)


def tensors_in(values: Any) -> list[Any]:
    """All tensors in nested tuples, lists and dictionaries."""
    found: list[Any] = []
    _collect(values, found)
    return found


def _collect(values: Any, found: list[Any]) -> None:
    if isinstance(values, torch.Tensor):
        found.append(values)
    elif isinstance(values, (tuple, list)):
        for each in values:
            _collect(each, found)
    elif not isinstance(values, PLAIN) and isinstance(values, (dict, Mapping)):
        for each in values.values():
            _collect(each, found)
