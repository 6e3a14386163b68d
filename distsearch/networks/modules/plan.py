"""What follows from the steps of a record alone: it is worked out once for all passes that take the same steps."""

from collections.abc import Hashable, Sequence
from typing import Any

import torch

from distsearch.networks.modules.columns import ELEMENTWISE
from distsearch.networks.modules.overwriting import overwriting
from distsearch.networks.modules.rows import Alone
from distsearch.networks.modules.selecting import Selection, selections_in
from distsearch.networks.modules.tape import Recording, Step, Value

MOST_PLANS = 8  # a search has slices of at most two sizes


class Plan:
    """How the steps of a record are done again."""

    def __init__(self, recording: Recording, outputs: int | None, alone: Alone) -> None:
        steps, values = recording.steps, recording.values
        self.alone = alone
        self.selections = [each for each in selections_in(steps, values) if alone.numbers.issuperset(each.numbers)]
        self.last_uses = _kept(recording.last_uses(), self.selections)
        """For each step, the values that no later one takes."""
        kept = {outputs}.union(*(each.takes for each in self.selections))
        self.overwriting = overwriting(steps, values, self.last_uses, kept)
        """The values that may be written over the first argument of the step that gives them."""
        self.of_one = {step.gives[0] for step in steps if step.func in ELEMENTWISE and _is_of_one(step, values)}
        """What elementwise operations give of one tensor of the same shape, and numbers."""
        self.first = {step.call: at for at, step in enumerate(steps) if step.call is not None}
        """The step that each call of a layer is."""
        self.selecting = {each.by_mask: each for each in self.selections}
        self.selected = {each.steps[-1]: each for each in self.selections}
        self.picked = {call: self._is_picked(recording, at) for call, at in self.first.items() if self.selections}
        """Whether something that a call's outputs are needed for is picked, or not."""

    def _is_picked(self, recording: Recording, at: int) -> bool:
        depending = set(recording.steps[at].gives)
        for step in recording.steps[at + 1 :]:
            if not depending.isdisjoint(step.takes):
                depending.update(step.gives)
        return any(term.number in depending for each in self.selections for term in each.terms)


class Plans:
    """Those of a module."""

    def __init__(self, alone: Alone) -> None:
        """`alone` says what of the module's record can be done again for some examples alone."""
        self._alone = alone
        self._kept: dict[Hashable, Plan] = {}

    def of(self, recording: Recording, outputs: int | None) -> Plan:
        """The plan for a record, of which the value `outputs` is what the pass returns."""
        steps = tuple((step.func, step.takes, step.gives, step.call) for step in recording.steps)
        key = (len(recording.values[0]), outputs, steps)
        if key not in self._kept:
            if len(self._kept) >= MOST_PLANS:
                self._kept.clear()
            known = self._alone.values == len(recording.values)
            self._kept[key] = Plan(recording, outputs, self._alone if known else Alone())
        return self._kept[key]


def _is_of_one(step: Step, values: Sequence[Any]) -> bool:
    tensors = [each for each in step.args if isinstance(each, Value | torch.Tensor)]
    if not step.flat or len(tensors) != 1 or not isinstance(tensors[0], Value):
        return False
    return bool(values[tensors[0].number].shape == values[step.gives[0]].shape)


def _kept(last_uses: list[list[int]], selections: list[Selection]) -> list[list[int]]:
    """The last uses, where what a selection takes is kept until it is made."""
    for selection in selections:
        takes, end = selection.takes, selection.steps[-1]
        for at in range(end):
            last_uses[end] += takes.intersection(last_uses[at])
            last_uses[at] = [number for number in last_uses[at] if number not in takes]
    return last_uses
