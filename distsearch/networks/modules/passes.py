"""The forward pass of a module with some of its layers moved, by the module's own Python: one experiment at a time."""

from collections.abc import Mapping, Sequence
from typing import Any

from distsearch.networks.modules.tape import Call, computed
from distsearch.networks.modules.watching import Operation, Watching


class Moving(Watching):
    """A forward pass with something added to a layer's outputs; the layers below it are not computed again."""

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
            return computed(operation.func, operation.args, operation.kwargs)
        self._number += 1
        if self._number < self._first:
            return self._kept[self._number].outputs.clone()
        if self._number == self._first:
            returned = self._kept[self._number].outputs
        else:
            returned = computed(operation.func, operation.args, operation.kwargs)
        return returned + self._added[self._number] if self._number in self._added else returned
