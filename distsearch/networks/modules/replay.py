"""Does the part of a forward pass again that depends on moved nodes or weights, for many experiments at once."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from typing import Any

import torch
import torch.nn.functional as F

from distsearch.networks.modules.axes import RULES
from distsearch.networks.modules.columns import (
    ELEMENTWISE,
    LINEAR,
    Columns,
    Rows,
    Span,
    linear_after,
    whole,
    with_axes,
)
from distsearch.networks.modules.declared import DECLARED
from distsearch.networks.modules.overwriting import OVERWRITING
from distsearch.networks.modules.plan import Plans
from distsearch.networks.modules.rows import changed
from distsearch.networks.modules.selecting import DECISIONS, Selection, Sole, left_out, parted, sole_terms
from distsearch.networks.modules.tape import Recording, Step, Value, computed, filled
from distsearch.networks.modules.unrolling import STACKABLE
from distsearch.networks.modules.watching import tensors_in


@contextmanager
def _without_filling() -> Iterator[None]:
    """Leave out the filling of new tensors, which deterministic algorithms have for those who read what none wrote."""
    filling = torch.utils.deterministic.fill_uninitialized_memory
    torch.utils.deterministic.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.utils.deterministic.fill_uninitialized_memory = filling


class NotForFewError(Exception):
    """A step cannot be done again for a few examples, or a move picks other results for too many of them."""


class Replay:
    """A recorded forward pass, to be done again with something moved."""

    def __init__(self, recording: Recording, outputs: Any, plans: Plans) -> None:
        self.values: Sequence[Any] = recording.values
        self._steps = recording.steps
        self._outputs = recording.number_of(outputs)
        self._whole_outputs = outputs
        self._number_of = recording.number_of
        self.plan = plans.of(recording, self._outputs)
        self._alone = self.plan.alone
        self._left_out: frozenset[int] = frozenset()  # steps whose results are only picked where something moves
        self._sole: dict[int, Sole] = {}

    def parts(self) -> list[tuple[Any, "Replay"]]:
        """The examples divided by what is picked for them without a move, and the record of each part of them.

        Empty if nothing is picked, or if the record cannot be divided.
        """
        if not self.plan.selections or self._alone.others:
            return []
        found = []
        for examples in parted(self.plan.selections, self.values):
            part = copy(self)
            part.values = [
                each[examples] if number in self._alone.numbers else each for number, each in enumerate(self.values)
            ]
            part._whole_outputs = self._whole_outputs[examples]
            part._left_out = left_out(self.plan.selections, part.values)
            part._sole = sole_terms(self.plan.selections, part.values)
            found.append((examples, part))
        return found

    def leaves_out(self, call: int) -> bool:
        """Whether a call of a layer is for none of the examples."""
        return self.plan.first[call] in self._left_out

    def with_nodes_moved(self, added: Mapping[int, Span]) -> Any:
        """The outputs, (experiments, …), with columns added to what calls return, in some experiments each.

        They are Rows if they change for a few examples only.
        """
        return self._run(min(self.plan.first[call] for call in added), {}, added)

    def with_values_moved(self, values: Sequence[tuple[Any, Any]]) -> Any:
        """The outputs, (experiments, …), or Rows, with other values, (experiments, …), in the place of tensors."""
        numbers = [self._number_of(tensor) for tensor, _ in values]
        moved = {number: Span(each, 0) for number, (_, each) in zip(numbers, values, strict=True) if number is not None}
        return self._run(0, moved, {})

    def _run(self, first: int, moved: dict[int, Span], added: Mapping[int, Span]) -> Any:
        spans = (*moved.values(), *added.values())
        count = max(each.end for each in spans)
        with _without_filling():
            if self.plan.selections and all((each.first, each.end) == (0, count) for each in spans):
                try:
                    found = dict(moved)
                    self._steps_from(first, found, added, selecting=True)
                    moved = found
                except NotForFewError:
                    self._steps_from(first, moved, added)
            else:
                self._steps_from(first, moved, added)
        if self._outputs not in moved:
            return self._whole_outputs.expand(count, *self._whole_outputs.shape)
        outputs = moved[self._outputs].over(0, count, self._whole_outputs)
        return outputs if isinstance(outputs, Rows) else whole(outputs, self._whole_outputs)

    def _steps_from(
        self, first: int, moved: dict[int, Span], added: Mapping[int, Span], *, selecting: bool = False
    ) -> None:
        """Do the steps again, from the first that changes, on what is moved."""
        joined: set[int] = set()
        for at in range(first, len(self._steps)):
            if selecting and at in self._left_out:
                continue
            if selecting and at in self._sole:
                joined.update(self._join(self._sole[at], moved))
            step = self._steps[at]
            takes = (
                () if at in joined or step.takes.isdisjoint(moved) else [each for each in step.takes if each in moved]
            )
            if takes and selecting and at in self.plan.selecting:
                takes = [each for each in takes if each != self.plan.selecting[at].mask]
            adding = None if step.call is None else added.get(step.call)
            if takes:
                known, begin = self._beside_each_other(takes, moved)
                found = [Span(each, begin) for each in self._after(step, known)]
                if adding is not None:
                    found = [found[0].plus(adding, self.values[step.gives[0]])]
                moved.update(zip(step.gives, found, strict=True))
            elif adding is not None:
                number, columns = step.gives[0], adding.values
                values = columns.of(self.values[number]) + columns.values
                moved[number] = Span(columns._replace(values=values), adding.first)
            if selecting and at in self.plan.selected:
                self._select(self.plan.selected[at], moved, added)
            for number in self.plan.last_uses[at]:
                if number != self._outputs:
                    moved.pop(number, None)

    def _join(self, sole: Sole, moved: dict[int, Span]) -> Sequence[int]:
        """Write what a selection gives of the only term that is picked; the steps that need not be done then."""
        if sole.number in moved:
            values = moved[sole.number].values
            if isinstance(values, Rows):
                values = values.filled(self.values[sole.number])
            moved[self._steps[sole.selection.steps[-1]].gives[0]] = Span(sole.joined(values), 0)
        return sole.selection.steps

    def _select(self, selection: Selection, moved: dict[int, Span], added: Mapping[int, Span]) -> None:
        """Write what other terms make of the examples for which they are picked into a selection's result."""
        if selection.mask not in moved:
            return
        mask = moved[selection.mask].values
        if not isinstance(mask, Rows) or any(
            self._steps[at].call in added for term in selection.terms for at in term.steps
        ):
            raise NotForFewError
        few = {selection.mask: mask.values}
        for number, term in enumerate(selection.terms):
            made = self.values[term.number][mask.examples]
            picked = selection.picks(mask.values, number).nonzero().flatten()
            some = mask._replace(experiments=mask.experiments[picked], examples=mask.examples[picked])
            known = {each: some.at(moved[each].values, self.values[each]) for each in term.takes if each in moved}
            if known and len(picked):
                made[picked] = self._for_few(term.steps, known, some.examples)[term.number]
            few[term.number] = made
        result = self._steps[selection.steps[-1]].gives[0]
        rows = mask._replace(values=self._for_few(selection.steps, few, mask.examples)[result])
        base = self.values[result]
        moved[result] = Span(rows.put(whole(moved[result].values, base)) if result in moved else rows, 0)

    def _for_few(self, at: Sequence[int], few: Mapping[int, Any], examples: Any) -> dict[int, Any]:
        """All values for some examples, (some, …), after steps that are done for them alone."""
        found = dict(few)
        for step in (self._steps[each] for each in at):
            if step.takes.isdisjoint(found):
                continue
            made = self._alone.step_for(step, found, examples, self.values)
            if made is None:
                raise NotForFewError
            found[step.gives[0]] = made
        return found

    def _beside_each_other(self, takes: Sequence[int], moved: Mapping[int, Span]) -> tuple[dict[int, Any], int]:
        """The moved values that a step takes, in the same experiments, and the first of these."""
        if len(takes) == 1:
            (number,) = takes
            return {number: moved[number].values}, moved[number].first
        known = {number: moved[number] for number in takes}
        first, end = min(each.first for each in known.values()), max(each.end for each in known.values())
        return {number: each.over(first, end, self.values[number]) for number, each in known.items()}, first

    def _after(self, step: Step, known: Mapping[int, Any]) -> Sequence[Any]:
        """What a step gives, from what is moved of that which it takes."""
        rows = next((each for each in known.values() if isinstance(each, Rows)), None)
        if rows is not None and (found := self._in_rows(step, known, rows)) is not None:
            return [found]
        if rows is not None:
            known = self._in_full(known)
        if step.flat and step.func in ELEMENTWISE and (found := self._elementwise(step, known)) is not None:
            return [found]
        if step.flat and step.func in LINEAR and (found := self._linear(step, known)) is not None:
            return [found]
        if step.func in RULES and (found := self._by_rule(step, known)) is not None:
            if step.func in DECISIONS and step.gives[0] in self._alone.numbers and isinstance(found, torch.Tensor):
                found = changed(found, self.values[step.gives[0]])
            return [found]
        if step.func in STACKABLE or step.func in DECLARED.values():
            return self._stacked(step, self._in_full(known))
        return self._mapped(step, self._in_full(known))

    def _in_rows(self, step: Step, known: Mapping[int, Any], rows: Rows) -> Any:
        """What a step gives where something is moved for a few examples only; None if that does not help."""
        others = {number: each for number, each in known.items() if not rows.alike(each)}
        if others and not (step.flat and step.func in ELEMENTWISE):
            return None
        few = {number: rows.at(each, self.values[number]) for number, each in known.items()}
        made = self._alone.step_for(step, few, rows.examples, self.values)
        if made is None:
            return None
        rows = rows._replace(values=made)
        if not others:
            return rows
        found = self._elementwise(step, self._in_full(others))
        return None if found is None else rows.put(found)

    def _by_rule(self, step: Step, moved: Mapping[int, Any]) -> Any:
        """What an operation along axes gives; None if it is not of the kind that its rule knows."""
        found = RULES[step.func](step, moved, self.values)
        if found is None or isinstance(found, Columns) or found.shape[1:] == self.values[step.gives[0]].shape:
            return found
        return None

    def _in_full(self, moved: Mapping[int, Any]) -> dict[int, Any]:
        return {number: whole(each, self.values[number]) for number, each in moved.items()}

    def _elementwise(self, step: Step, moved: Mapping[int, Any]) -> Any:
        """What an elementwise operation gives: columns if all that it takes are the same ones. None if it is other."""
        if step.gives[0] in self.plan.of_one:
            (given,) = moved.values()
            values = given.values if isinstance(given, Columns) else given
            found = self._called(step, [values if isinstance(each, Value) else each for each in step.args], moved)
            return given._replace(values=found) if isinstance(given, Columns) else found
        columns = self._common(step, moved)
        if columns is None:
            moved = self._in_full(moved)
        given = [self._beside(each, moved, columns) for each in step.args]
        tensors = [each for each in given if isinstance(each, torch.Tensor) and each.dim()]
        most = max(each.dim() for each in tensors)
        args = [with_axes(each, most) if isinstance(each, torch.Tensor) and each.dim() else each for each in given]
        found = self._called(step, args, moved)
        shape = list(self.values[step.gives[0]].shape)
        if columns is not None:
            shape[columns.axis] = columns.index.shape[1]
        if not isinstance(found, torch.Tensor) or list(found.shape[1:]) != shape:
            return None
        return found if columns is None else columns._replace(values=found)

    def _called(self, step: Step, args: Sequence[Any], moved: Mapping[int, Any]) -> Any:
        """What the operation returns; it is written over its first argument if that is moved and not needed later."""
        if step.gives[0] in self.plan.overwriting and step.args[0].number in moved:
            return OVERWRITING[step.func](*args)
        return step.func(*args, **step.kwargs)

    def _beside(self, given: Any, moved: Mapping[int, Any], columns: Columns | None) -> Any:
        """An argument of an elementwise operation as it is in all experiments, (experiments or 1, …)."""
        if isinstance(given, Value):
            if given.number in moved:
                return moved[given.number] if columns is None else moved[given.number].values
            given = self.values[given.number]
        if not isinstance(given, torch.Tensor) or not given.dim():  # a number's type counts for less than a tensor's
            return given
        if columns is not None and given.dim() >= -columns.axis and given.shape[columns.axis] > 1:
            return columns.of(given)
        return given.unsqueeze(0)

    def _common(self, step: Step, moved: Mapping[int, Any]) -> Columns | None:
        """The columns that all moved values have, if they have the same ones, and so has what the step gives."""
        columns = next(iter(moved.values()))
        if not isinstance(columns, Columns):
            return None
        nodes = self.values[next(iter(moved))].shape[columns.axis]
        given = self.values[step.gives[0]]
        if given.dim() < -columns.axis or given.shape[columns.axis] != nodes:
            return None
        for number, each in moved.items():
            if not isinstance(each, Columns) or each.index is not columns.index or each.axis != columns.axis:
                return None
            if self.values[number].shape[columns.axis] != nodes:
                return None
        return columns

    def _linear(self, step: Step, moved: Mapping[int, Any]) -> Any:
        """What a product of moved values and a matrix gives, (experiments, …); None if it is another product."""
        if not isinstance(step.args[0], Value) or any(
            isinstance(each, Value) and each.number in moved for each in step.args[1:]
        ):
            return None
        number = step.args[0].number
        args = [self.values[each.number] if isinstance(each, Value) else each for each in step.args]
        base, weight, inputs = args[0], args[1], moved[number]
        if base.dim() < 2 or weight.dim() != 2:
            return None
        if isinstance(inputs, Columns) and inputs.axis == -1:
            turned = weight.T if LINEAR[step.func] else weight
            return linear_after(inputs, base, self.values[step.gives[0]], turned)
        inputs = whole(inputs, base)
        if not LINEAR[step.func]:
            return torch.matmul(inputs, weight)
        found = F.linear(inputs.reshape(-1, inputs.shape[-1]), *args[1:])  # of one matrix: with the biases in one call
        return found.reshape(*inputs.shape[:-1], found.shape[-1])

    def _stacked(self, step: Step, moved: Mapping[int, Any]) -> Sequence[Any]:
        """What a function that takes an axis of experiments as it is gives, (experiments, …)."""
        count = len(next(iter(moved.values())))
        args, _ = filled(step, lambda each: self._in_front(each, moved))
        return [
            each if len(each) == count else each.expand(count, *each.shape[1:]) for each in tensors_in(step.func(*args))
        ]

    def _in_front(self, value: Value, moved: Mapping[int, Any]) -> Any:
        """A value as it is in all experiments, (experiments or 1, …)."""
        return moved[value.number] if value.number in moved else self.values[value.number].unsqueeze(0)

    def _mapped(self, step: Step, moved: Mapping[int, Any]) -> Sequence[Any]:
        """What any operation gives, by torch's own rules for many of them at once."""

        def once(given: Mapping[int, Any]) -> list[Any]:
            args, kwargs = filled(step, lambda each: given.get(each.number, self.values[each.number]))
            return list(tensors_in(computed(step.func, args, kwargs)))

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of operations that it does one by one
            return torch.func.vmap(once)(dict(moved))
