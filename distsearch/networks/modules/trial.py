"""A first look at a module: its layers, what they cost, and whether it can be searched at all.

It is given a few made-up examples, so that what is found follows from the module and the shape of the data alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, NamedTuple

import torch

from distsearch.errors import DistsearchError, SettingError
from distsearch.networks.modules.axes import REDUCING, STACKING
from distsearch.networks.modules.columns import ELEMENTWISE, LINEAR
from distsearch.networks.modules.declared import OWN
from distsearch.networks.modules.engine import Computing, exact, failure
from distsearch.networks.modules.examples import EXAMPLES, same
from distsearch.networks.modules.kinds import Kind, RecurrentSums
from distsearch.networks.modules.selecting import selections_in
from distsearch.networks.modules.tape import Recording
from distsearch.networks.modules.unrolling import ENDS
from distsearch.networks.modules.watching import Layer, Operation, Watching, tensors_in

OTHER_COST = 8.0  # multiplications that an element of another operation's result costs as much as
_PRODUCTS = {"bmm", "baddbmm", "einsum", "lstm", "gru", "rnn_tanh", "rnn_relu", "scaled_dot_product_attention"}
_JUMPING = {  # and so do all whose results are truth values or whole numbers, such as comparisons
    *("sign", "sgn", "floor", "ceil", "round", "trunc", "fix", "floordiv", "floor_divide", "heaviside", "bernoulli"),
    *("topk", "sort", "hardshrink", "threshold", "fake_quantize_per_tensor_affine"),
}


LOOSE = Layer("", "", None, False, -1)
"""Stands for all uses of parameters that are no layers."""


class Axes(NamedTuple):
    """Where the examples are in a layer's outputs: with the nodes' axis last, first or second."""

    second: bool

    def spread(self, outputs: Any, axis: int, examples: int) -> Any:
        """Outputs as (examples, places, nodes)."""
        last = outputs.movedim(axis, -1)
        if self.second:
            last = last.transpose(0, 1)
        return last.reshape(examples, -1, last.shape[-1])


@dataclass
class Found:
    """What is known of a layer."""

    layer: Layer
    axes: Axes
    nodes: int
    width: int  # weights of each node, with its bias
    calls: list[int] = field(default_factory=list)  # which inputs each of its calls has: the same number, the same ones
    places: int = 0  # of each node, over all different inputs
    products: float = 0.0  # per example
    price: float = 0.0  # of what is above it, per example
    numbers: float = 0.0  # that an experiment with a node makes above it, per example
    operations: int = 0  # above it

    @property
    def inputs(self) -> int:
        """How many different inputs its calls have."""
        return len(set(self.calls))


class Dependent(NamedTuple):
    """A tensor that depends on the data."""

    tensor: Any
    below: int  # the layers that it depends on, a bit each
    columns: int  # those of which a node changes only a column of it


class Trial(Watching):
    """A forward pass in which everything is followed: what depends on the data, and on which layers."""

    def __init__(
        self,
        parameters: Mapping[str, Any],
        inputs: Any,
        *,
        recorded: bool = False,
        shares: Mapping[int, float] | None = None,
    ) -> None:
        """`recorded` says whether moves are computed from a record of the pass, which is cheaper.

        Some of its steps are then done again for a share of the examples only.
        """
        super().__init__(parameters)
        self._recorded = recorded
        self._shares = shares or {}
        self._steps = 0
        self.calls: list[tuple[Layer, Kind, Any]] = []
        self.versions: list[int] = []
        """How often the inputs of each call had been changed in place when it was made."""
        self.spoilt: set[str] = set()
        """Parameters that are used otherwise than in a layer."""
        self.cost = 0.0
        self.elements = 0
        self.jumps = False
        self.above: dict[Layer, float] = {}
        self.made: dict[Layer, float] = {}
        """The numbers above each layer that an experiment with it makes."""
        self.operations: dict[Layer, int] = {}
        """How many are above each layer."""
        self._numbers: dict[Layer, int] = {}
        self._nodes: dict[Layer, int] = {}
        self._data: dict[int, Dependent] = {id(inputs): Dependent(inputs, 0, 0)}

    def called(self, operation: Operation) -> Any:
        """Call the function, and note what it does."""
        func, args, kwargs, layer, used = operation
        given = [self._data[id(each)] for each in tensors_in((args, kwargs)) if id(each) in self._data]
        returned = operation.done()
        if not given:
            if layer is not None:  # a table of positions, say, which no example has to itself
                self.spoilt |= set(layer[0].names)
            return returned
        below, everything = 0, 0
        for each in given:
            below |= each.below
            everything |= each.below & ~each.columns
        keeping = func in ELEMENTWISE or func in LINEAR or (func in STACKING | REDUCING and _kept_last(args, returned))
        columns = below & ~everything if self._recorded and keeping else 0
        if layer is None and used:
            below |= 1 << self._numbers.setdefault(LOOSE, len(self._numbers))
        self._pay(operation, returned, below, columns, self._shares.get(self._steps, 1.0))
        self._steps += any(True for _ in tensors_in(returned))
        if func in LINEAR:
            columns = 0
        if layer is None:
            self.spoilt |= {source.name for source in used}
        else:
            self.calls.append((*layer, returned.detach().clone()))
            self.versions.append(layer[1].inputs._version)
            self._nodes[layer[0]] = returned.shape[layer[0].axis]
            number = 1 << self._numbers.setdefault(layer[0], len(self._numbers))
            columns = (columns | number) & ~(below & number)
            below |= number
        for each in tensors_in(returned):
            self._data[id(each)] = Dependent(each, below, columns)
        self.jumps = self.jumps or (any(each.below for each in given) and _jumps(func, returned))
        return returned

    def is_constant(self, tensor: Any) -> bool:
        """Whether it does not depend on the data."""
        return id(tensor) not in self._data

    def _pay(self, operation: Operation, returned: Any, below: int, columns: int, share: float) -> None:
        """Count the multiplications of an operation for everything that it depends on, done again for a share of it.

        They are fewer for layers of which it only sees a column change.
        """
        func, layer = operation.func, operation.layer
        elements = sum(each.numel() for each in tensors_in(returned))
        if layer is not None:
            cost = layer[1].products(returned)
        else:
            cost = elements * OTHER_COST * (8 if getattr(func, "__name__", "") in _PRODUCTS else 1)
        self.cost += cost
        if not self.inside or func in ENDS:  # what is passed from step to step is soon forgotten
            self.elements += elements
        for known, number in self._numbers.items():
            if below >> number & 1:
                less, made = cost, float(elements)
                if columns >> number & 1 and func in LINEAR:
                    less = elements
                elif columns >> number & 1:
                    less, made = cost / self._nodes[known], elements / self._nodes[known]
                self.above[known] = self.above.get(known, 0.0) + share * less
                self.made[known] = self.made.get(known, 0.0) + share * made
                self.operations[known] = self.operations.get(known, 0) + 1


class Anatomy(NamedTuple):
    """A module as it was found."""

    layers: tuple[Found, ...]
    loose: float  # multiplications per example of what depends on parameters outside of these layers
    products: float  # multiplications of a forward pass, per example
    elements: int  # of all results in between, per example
    jumps: bool
    choices: int = 1  # the most results of which one is picked for each example
    flat: bool = False  # whether it returns a number for each example, (examples,)


def examined(
    module: Any, parameters: Mapping[str, Any], made_up: Any, outputs: int, expected: str, computing: Computing
) -> Anatomy:
    """What a module consists of, from a look at (EXAMPLES, …) made-up inputs. SettingError if it cannot be searched.

    `expected` says what its outputs are for.
    """
    other = made_up.clone()
    other[0] = made_up[1]
    with exact(computing.here), computing.passing():
        before = {name: each.clone() for name, each in module.named_buffers()}
        recording, version = Recording(parameters, set(), [made_up]), made_up._version
        _passed(recording, module, made_up)
        if made_up._version != version:
            raise SettingError(
                "network.model: its forward pass changes its inputs in place: write x = x / 255 instead of x /= 255"
            )
        selections = selections_in(recording.steps, recording.values) if recording.holds else []
        shares = {at: 1 / len(each.terms) for each in selections for term in each.terms for at in term.steps}
        first, outputs_of = _tried(module, parameters, made_up, recorded=recording.holds, shares=shares)
        _check_outputs(outputs_of, outputs, expected, type(module).__name__)
        again = _tried(module, parameters, made_up)[1]
        second, others_of = _tried(module, parameters, other)
    for name, each in module.named_buffers():
        if name not in before:
            raise SettingError(
                f"network.model: its forward pass makes the buffer {name}: make it when the module is made"
            )
        if not same(each, before[name]):
            raise SettingError(
                f"network.model: its forward pass changes the buffer {name}: expected buffers to stay as they are"
            )
    if not same(outputs_of, again):
        raise SettingError(
            "network.model: its outputs for the same inputs differ from call to call: expected a forward without "
            "random numbers of its own and without a state that is kept between calls"
        )
    if not same(outputs_of[1:], others_of[1:]):
        raise SettingError(
            "network.model: its outputs for one example depend on the others beside it: expected a forward without "
            "statistics over the batch"
        )
    layers, products = tuple(_layers(first, second)), first.cost / EXAMPLES
    loose, elements = _loose(first, layers, products), first.elements // EXAMPLES
    choices = max((len(each.terms) for each in selections), default=1)
    return Anatomy(layers, loose, products, elements, first.jumps, choices, outputs_of.dim() == 1)


def _tried(module: Any, parameters: Mapping[str, Any], inputs: Any, **recorded: Any) -> tuple[Trial, Any]:
    trial = Trial(parameters, inputs, **recorded)
    return trial, _passed(trial, module, inputs)


def _passed(watching: Watching, module: Any, inputs: Any) -> Any:
    """The module's outputs. SettingError if it fails."""
    try:
        with watching:
            return module(inputs)
    except DistsearchError:
        raise
    except Exception as error:
        shape = ", ".join(map(str, ("examples", *inputs.shape[1:])))
        raise SettingError(f"network.model: on inputs of shape ({shape}), {failure(error)}") from error


def _check_outputs(found: Any, outputs: int, expected: str, name: str) -> None:
    if not isinstance(found, torch.Tensor):
        raise SettingError(f"network.model: expected a tensor from {name}, got {type(found).__name__}")
    shape = tuple(found.shape)
    if shape != (EXAMPLES, outputs) and not (outputs == 1 and shape == (EXAMPLES,)):
        came = ", ".join(map(str, ("examples" if size == EXAMPLES else size for size in shape)))
        raise SettingError(f"network.model: expected outputs of shape (examples, {outputs}), {expected}, got ({came})")


def _jumps(func: Any, returned: Any) -> bool:
    """Whether a function's result stays or jumps where what it is given moves a little."""
    known = getattr(func, "__name__", "").strip("_") in _JUMPING
    return known or (isinstance(returned, torch.Tensor) and not (returned.is_floating_point() or returned.is_complex()))


def _kept_last(args: Any, returned: Any) -> bool:
    """Whether a tensor has the last axis of those that it is made of: most layers' nodes are along that one."""
    return all(each.dim() and each.shape[-1:] == returned.shape[-1:] for each in tensors_in(args))


def _layers(first: Trial, second: Trial) -> list[Found]:
    """The layers whose nodes can be moved, in the order in which they are first called."""
    found: dict[Layer, Found] = {}
    seen: dict[Layer, list[Any]] = {}
    refused: set[Layer] = set()
    if [(layer, outputs.shape) for layer, _, outputs in first.calls] != [
        (layer, outputs.shape) for layer, _, outputs in second.calls
    ]:
        return []  # which layers are called depends on the data
    for (layer, kind, outputs), (_, _, others), version in zip(first.calls, second.calls, first.versions, strict=True):
        axes, changed = _axes(outputs, others, layer.axis), kind.inputs._version != version  # after the call
        if axes is None or changed or (layer in found and found[layer].axes != axes):
            refused.add(layer)
            continue
        nodes = outputs.shape[layer.axis]
        width = sum(each.numel() for each in (*kind.beside, kind.weight)) // nodes + (layer.bias is not None)
        each = found.setdefault(layer, Found(layer, axes, nodes, width))
        inputs = seen.setdefault(layer, [])
        number = next((at for at, known in enumerate(inputs) if known is kind.inputs), len(inputs))
        if number == len(inputs):
            inputs.append(kind.inputs)
            each.places += outputs.numel() // (EXAMPLES * nodes)
        each.calls.append(number)
        each.products += kind.products(outputs) / EXAMPLES
        each.price = first.above.get(layer, 0.0) / EXAMPLES
        each.numbers = (first.made.get(layer, 0.0) + outputs.numel() / nodes) / EXAMPLES
        each.operations = first.operations.get(layer, 0)
    return [each for each in found.values() if each.layer not in refused | _clashing(first)]


def _loose(trial: Trial, layers: Sequence[Found], products: float) -> float:
    """The multiplications per example of what depends on parameters outside of the layers, at most."""
    known = {found.layer for found in layers}
    others = [(layer, kind.products(outputs)) for layer, kind, outputs in trial.calls if layer not in known]
    above = sum(trial.above.get(layer, 0.0) for layer in {LOOSE, *(layer for layer, _ in others)})
    return min(products, (above + sum(own for _, own in others)) / EXAMPLES)


def _axes(outputs: Any, others: Any, axis: int) -> Axes | None:
    """Where a layer's outputs have the examples, of which only the first is another; None if that is unclear."""
    last, changed = outputs.movedim(axis, -1), (outputs != others).movedim(axis, -1)
    if not last.numel() or prod(last.shape[:-1]) % EXAMPLES:
        return None
    if last.shape[0] % EXAMPLES == 0 and not changed.reshape(EXAMPLES, -1)[1:].any():
        return Axes(second=False)
    if last.dim() == 3 and last.shape[1] == EXAMPLES and not changed[:, 1:].any():
        return Axes(second=True)
    return None


def _clashing(trial: Trial) -> set[Layer]:
    """The layers that share parameters with others, or with operations that are no layers.

    Inside of a layer that was declared, others may use its parameters.
    """
    users: dict[str, set[Layer]] = {}
    layers = {layer for layer, _, _ in trial.calls}
    for layer in layers:
        for name in layer.names:
            users.setdefault(name, set()).add(layer)
    own = {layer for layer in layers if layer.kind.startswith(OWN) or layer.kind == RecurrentSums.name}
    claimed = {name for layer in own for name in layer.names}
    return {
        layer
        for layer in layers
        for name in layer.names
        if len(users[name] & own if name in claimed else users[name]) > 1
        or (name in claimed and layer not in own)
        or (name in trial.spoilt and name not in claimed)
    }
