"""A forward pass of a module that is kept as a list of operations, so that a part of it can be done again.

The list is made anew in each pass, from the pass's own data. It holds as long as nothing but these operations decides
what comes out: where the module's Python asks for a value, as in `if (x > 0).any()`, it does not, nor where tensors are
written into that others see.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F

from distsearch.networks.modules.kinds import Kind
from distsearch.networks.modules.watching import PLAIN, Layer, Operation, Watching, tensors_in

HARMLESS = {  # what returns no tensor, and nothing that moving a node could change
    *("shape", "size", "dim", "ndim", "ndimension", "numel", "nelement", "stride", "__len__", "dtype", "device"),
    *("layout", "is_contiguous", "is_floating_point", "is_complex", "requires_grad", "is_cpu", "is_cuda", "type"),
    *("get_device", "element_size", "is_sparse", "is_nested", "is_quantized", "is_mkldnn", "is_meta", "is_leaf"),
}


class Value(NamedTuple):
    """Stands for a tensor in the arguments of a step."""

    number: int


class Step(NamedTuple):
    """An operation on tensors that depend on the data, or on weights that are moved themselves."""

    func: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    takes: frozenset[int]
    gives: tuple[int, ...]
    call: int | None  # which of the pass's calls of layers it is
    flat: bool
    """Whether all tensors are arguments themselves, without names, and so is what it gives."""


class Call(NamedTuple):
    """A call of a layer in a forward pass."""

    layer: Layer
    kind: Kind
    outputs: Any


class Recording(Watching):
    """A forward pass whose operations, and calls of layers, are kept."""

    def __init__(self, parameters: Mapping[str, Any], layers: set[Layer], inputs: Sequence[Any]) -> None:
        """`inputs` are the first values: the data, and parameters that are moved themselves."""
        super().__init__(parameters)
        self.calls: list[Call] = []
        self.steps: list[Step] = []
        self.values: list[Any] = []
        self._layers = layers
        self._complete = True
        self._kept: list[tuple[Any, int]] = []  # tensors that must not have changed since, with their versions
        self._numbers: dict[int, int] = {}
        for each in inputs:
            self._add(each)

    @property
    def holds(self) -> bool:
        """Whether doing the steps again is what the module would do."""
        return self._complete and all(each._version == version for each, version in self._kept)

    def number_of(self, tensor: Any) -> int | None:
        """The number of a value; None if the tensor does not depend on the data."""
        return self._numbers.get(id(tensor))

    def last_uses(self) -> list[list[int]]:
        """For each step, the values that no later one takes."""
        last = {number: at for at, step in enumerate(self.steps) for number in (*step.gives, *step.takes)}
        found: list[list[int]] = [[] for _ in self.steps]
        for number, at in last.items():
            found[at].append(number)
        return found

    def called(self, operation: Operation) -> Any:
        """Call the function; keep what it was given and what it returned."""
        func, args, kwargs, layer, _ = operation
        number = len(self.calls) if layer is not None and layer[0] in self._layers else None
        takes = {self._numbers[id(each)] for each in tensors_in((args, kwargs)) if id(each) in self._numbers}
        returned = self._step(operation, frozenset(takes), number) if takes else computed(func, args, kwargs)
        if number is not None and layer is not None:
            self.calls.append(Call(*layer, returned.clone()))  # a clone, as others may change it in place
        return returned

    def _step(self, operation: Operation, takes: frozenset[int], call: int | None) -> Any:
        """Call the function, and add it to the steps."""
        func, kwargs, plain = operation.func, operation.kwargs, _out_of_place(operation.func, operation.kwargs)
        if plain is not None:
            self._save(operation.args[0])
        args = mapped(operation.args, self._as_value)
        named = {name: mapped(each, self._as_value) for name, each in kwargs.items() if not plain or name != "inplace"}
        returned = computed(func, operation.args, kwargs)
        if plain is not None and returned is not operation.args[0]:
            self._complete = False
        found = list(tensors_in(returned))
        if found:
            gives, flat = tuple(map(self._add, found)), found[0] is returned and _is_flat(args, named)
            self.steps.append(Step(plain or func, args, named, takes, gives, call, flat))
        elif name_of(func) not in HARMLESS:
            self._complete = False
        return returned

    def _as_value(self, tensor: Any) -> Any:
        number = self._numbers.get(id(tensor))
        if number is not None:
            return Value(number)
        self._keep(tensor)
        return tensor

    def _add(self, tensor: Any) -> int:
        self._keep(tensor)
        self.values.append(tensor)
        self._numbers[id(tensor)] = len(self.values) - 1
        return len(self.values) - 1

    def _keep(self, tensor: Any) -> None:
        if tensor.is_inference():  # these have no versions
            self._complete = False
        else:
            self._kept.append((tensor, tensor._version))

    def _save(self, tensor: Any) -> None:
        """Keep the values of a tensor that is about to be changed; what it becomes is another value."""
        number = self._numbers.get(id(tensor))
        if number is None or tensor._is_view():
            self._complete = False
            return
        self.values[number] = tensor.clone()
        self._kept = [(each, version) for each, version in self._kept if each is not tensor]


def computed(func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """What an operation returns; in another way where vmap does not know it."""
    if func is F.group_norm:
        return _group_norm(*args, **kwargs)
    return func(*args, **kwargs)


def _group_norm(input: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:  # noqa: A002
    groups = input.reshape(len(input), num_groups, -1)
    normal = F.layer_norm(groups, groups.shape[-1:], eps=eps).reshape(input.shape)
    ones = (-1, *[1] * (input.dim() - 2))
    if weight is not None:
        normal = normal * weight.reshape(ones)
    return normal if bias is None else normal + bias.reshape(ones)


def filled(step: Step, fill: Callable[[Value], Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """A step's arguments, with what `fill` returns in the place of each value."""
    return mapped(step.args, fill, Value), {name: mapped(each, fill, Value) for name, each in step.kwargs.items()}


def mapped(given: Any, change: Callable[[Any], Any], kind: type = torch.Tensor) -> Any:
    """Nested tuples, lists and dictionaries with everything of a kind changed."""
    if isinstance(given, kind):
        return change(given)
    if isinstance(given, PLAIN):
        return given
    if isinstance(given, list):
        return [mapped(each, change, kind) for each in given]
    if isinstance(given, tuple) and not isinstance(given, torch.Size):
        return tuple([mapped(each, change, kind) for each in given])
    if isinstance(given, Mapping):
        return {name: mapped(each, change, kind) for name, each in given.items()}
    return given


def _is_flat(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Whether all tensors, and values that stand for them, are arguments themselves, without names."""
    nested = [each for each in args if not isinstance(each, (Value, torch.Tensor, *PLAIN))]
    return not any(_leaves((nested, kwargs)))


def _leaves(given: Any) -> Iterator[bool]:
    if isinstance(given, Value | torch.Tensor):
        yield True
    elif isinstance(given, Mapping | tuple | list):
        for each in given.values() if isinstance(given, Mapping) else given:
            yield from _leaves(each)


def name_of(func: Any) -> str:
    """A function's name; for what reads an attribute, the attribute's."""
    name = getattr(func, "__name__", "")
    return getattr(getattr(func, "__self__", None), "__name__", "") if name == "__get__" else name


def _out_of_place(func: Any, kwargs: Mapping[str, Any]) -> Callable[..., Any] | None:
    """The function that returns what another one writes into its first argument; None if it writes into none."""
    name = name_of(func)
    if kwargs.get("inplace") is True:
        return func if not name.endswith("_") else getattr(F, name[:-1], None)
    if name.startswith("__i") and name.endswith("__"):
        return getattr(torch.Tensor, f"__{name[3:]}", None)
    if name.endswith("_") and not name.endswith("__"):
        return getattr(torch.Tensor, name[:-1], None)
    return None
