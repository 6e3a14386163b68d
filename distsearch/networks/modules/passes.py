"""Forward passes with some of the layers watched: one that is kept, and others in which a layer is moved."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch.nn.functional as F

from distsearch.networks.modules.kinds import Kind
from distsearch.networks.modules.watching import Layer, Operation, Watching


def computed(operation: Operation) -> Any:
    """What the operation returns; in another way where vmap does not know it."""
    if operation.func is F.group_norm:
        return _group_norm(*operation.args, **operation.kwargs)
    return operation.done()


def _group_norm(input: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:  # noqa: A002
    groups = input.reshape(len(input), num_groups, -1)
    normal = F.layer_norm(groups, groups.shape[-1:], eps=eps).reshape(input.shape)
    ones = (-1, *[1] * (input.dim() - 2))
    if weight is not None:
        normal = normal * weight.reshape(ones)
    return normal if bias is None else normal + bias.reshape(ones)


class Call(NamedTuple):
    """A call of a layer in a forward pass."""

    layer: Layer
    kind: Kind
    outputs: Any


class Recording(Watching):
    """A forward pass whose calls of layers are kept."""

    def __init__(self, parameters: Mapping[str, Any], layers: set[Layer]) -> None:
        super().__init__(parameters)
        self.calls: list[Call] = []
        self._layers = layers

    def called(self, operation: Operation) -> Any:
        """Call the function; if it is a layer, keep what it was given and what it returned."""
        returned, layer = computed(operation), operation.layer
        if layer is not None and layer[0] in self._layers:
            self.calls.append(Call(*layer, returned.clone()))  # a clone, as others may change it in place
        return returned


class Moving(Watching):
    """The same forward pass with something added to a layer's outputs; what came before is not computed again."""

    def __init__(self, parameters: Mapping[str, Any], kept: Sequence[Call], added: Mapping[int, Any]) -> None:
        """`added` is by the number of the call in the pass."""
        super().__init__(parameters)
        self._kept = kept
        self._added = added
        self._first = min(added)
        self._layers = {call.layer for call in kept}
        self._number = -1

    def called(self, operation: Operation) -> Any:
        """Call the function; if it is a layer, and not above the moved one, return what is known."""
        layer = operation.layer
        if layer is None or layer[0] not in self._layers:
            return computed(operation)
        self._number += 1
        if self._number < self._first:
            return self._kept[self._number].outputs.clone()
        returned = self._kept[self._number].outputs if self._number == self._first else computed(operation)
        return returned + self._added[self._number] if self._number in self._added else returned
