"""Does the part of a forward pass again that depends on moved nodes or weights, for many experiments at once."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F

from distsearch.networks.modules.axes import RULES
from distsearch.networks.modules.columns import ELEMENTWISE, LINEAR, Columns, Span, linear_after, whole, with_axes
from distsearch.networks.modules.declared import DECLARED
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


class Replay:
    """A recorded forward pass, to be done again with something moved."""

    def __init__(self, recording: Recording, outputs: Any) -> None:
        self._recording = recording
        self._values = recording.values
        self._steps = recording.steps
        self._last_uses = recording.last_uses()
        self._outputs = recording.number_of(outputs)
        self._first = {step.call: at for at, step in enumerate(self._steps) if step.call is not None}
        self._whole_outputs = outputs

    def with_nodes_moved(self, added: Mapping[int, Span]) -> Any:
        """The outputs, (experiments, …), with columns added to what calls return, in some experiments each."""
        return self._run(min(self._first[call] for call in added), {}, added)

    def with_values_moved(self, values: Sequence[tuple[Any, Any]]) -> Any:
        """The outputs, (experiments, …), with other values, (experiments, …), in the place of tensors."""
        numbers = [self._recording.number_of(tensor) for tensor, _ in values]
        moved = {number: Span(each, 0) for number, (_, each) in zip(numbers, values, strict=True) if number is not None}
        return self._run(0, moved, {})

    def _run(self, first: int, moved: dict[int, Span], added: Mapping[int, Span]) -> Any:
        count = max(each.end for each in (*moved.values(), *added.values()))
        with _without_filling():
            self._steps_from(first, moved, added)
        if self._outputs not in moved:
            return self._whole_outputs.expand(count, *self._whole_outputs.shape)
        return whole(moved[self._outputs].over(0, count, self._whole_outputs), self._whole_outputs)

    def _steps_from(self, first: int, moved: dict[int, Span], added: Mapping[int, Span]) -> None:
        """Do the steps again, from the first that changes, on what is moved."""
        for step, done in zip(self._steps[first:], self._last_uses[first:], strict=True):
            adding = None if step.call is None else added.get(step.call)
            if not step.takes.isdisjoint(moved):
                known, begin = self._beside_each_other(step, moved)
                found = [Span(each, begin) for each in self._after(step, known)]
                if adding is not None:
                    found = [found[0].plus(adding, self._values[step.gives[0]])]
                moved.update(zip(step.gives, found, strict=True))
            elif adding is not None:
                number, columns = step.gives[0], adding.values
                values = columns.of(self._values[number]) + columns.values
                moved[number] = Span(columns._replace(values=values), adding.first)
            for number in done:
                if number != self._outputs:
                    moved.pop(number, None)

    def _beside_each_other(self, step: Step, moved: Mapping[int, Span]) -> tuple[dict[int, Any], int]:
        """What is moved of that which a step takes, in the same experiments, and the first of these."""
        known = {number: moved[number] for number in step.takes if number in moved}
        first, end = min(each.first for each in known.values()), max(each.end for each in known.values())
        return {number: each.over(first, end, self._values[number]) for number, each in known.items()}, first

    def _after(self, step: Step, known: Mapping[int, Any]) -> Sequence[Any]:
        """What a step gives, from what is moved of that which it takes."""
        if step.flat and step.func in ELEMENTWISE and (found := self._elementwise(step, known)) is not None:
            return [found]
        if step.flat and step.func in LINEAR and (found := self._linear(step, known)) is not None:
            return [found]
        if step.func in RULES and (found := self._by_rule(step, known)) is not None:
            return [found]
        if step.func in STACKABLE or step.func in DECLARED.values():
            return self._stacked(step, self._in_full(known))
        return self._mapped(step, self._in_full(known))

    def _by_rule(self, step: Step, moved: Mapping[int, Any]) -> Any:
        """What an operation along axes gives; None if it is not of the kind that its rule knows."""
        found = RULES[step.func](step, moved, self._values)
        if found is None or isinstance(found, Columns) or found.shape[1:] == self._values[step.gives[0]].shape:
            return found
        return None

    def _in_full(self, moved: Mapping[int, Any]) -> dict[int, Any]:
        return {number: whole(each, self._values[number]) for number, each in moved.items()}

    def _elementwise(self, step: Step, moved: Mapping[int, Any]) -> Any:
        """What an elementwise operation gives: columns if all that it takes are the same ones. None if it is other."""
        columns = self._common(step, moved)
        if columns is None:
            moved = self._in_full(moved)
        given = [self._beside(each, moved, columns) for each in step.args]
        tensors = [each for each in given if isinstance(each, torch.Tensor) and each.dim()]
        most = max(each.dim() for each in tensors)
        args = [with_axes(each, most) if isinstance(each, torch.Tensor) and each.dim() else each for each in given]
        found = step.func(*args, **step.kwargs)
        shape = list(self._values[step.gives[0]].shape)
        if columns is not None:
            shape[columns.axis] = columns.index.shape[1]
        if not isinstance(found, torch.Tensor) or list(found.shape[1:]) != shape:
            return None
        return found if columns is None else columns._replace(values=found)

    def _beside(self, given: Any, moved: Mapping[int, Any], columns: Columns | None) -> Any:
        """An argument of an elementwise operation as it is in all experiments, (experiments or 1, …)."""
        if isinstance(given, Value):
            if given.number in moved:
                return moved[given.number] if columns is None else moved[given.number].values
            given = self._values[given.number]
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
        nodes = self._values[next(iter(moved))].shape[columns.axis]
        given = self._values[step.gives[0]]
        if given.dim() < -columns.axis or given.shape[columns.axis] != nodes:
            return None
        for number, each in moved.items():
            if not isinstance(each, Columns) or each.index is not columns.index or each.axis != columns.axis:
                return None
            if self._values[number].shape[columns.axis] != nodes:
                return None
        return columns

    def _linear(self, step: Step, moved: Mapping[int, Any]) -> Any:
        """What a product of moved values and a matrix gives, (experiments, …); None if it is another product."""
        if not isinstance(step.args[0], Value) or any(
            isinstance(each, Value) and each.number in moved for each in step.args[1:]
        ):
            return None
        number = step.args[0].number
        args = [self._values[each.number] if isinstance(each, Value) else each for each in step.args]
        base, weight, inputs = args[0], args[1], moved[number]
        if base.dim() < 2 or weight.dim() != 2:
            return None
        if isinstance(inputs, Columns) and inputs.axis == -1:
            turned = weight.T if LINEAR[step.func] else weight
            return linear_after(inputs, base, self._values[step.gives[0]], turned)
        inputs = whole(inputs, base)
        return F.linear(inputs, *args[1:]) if LINEAR[step.func] else torch.matmul(inputs, weight)

    def _stacked(self, step: Step, moved: Mapping[int, Any]) -> Sequence[Any]:
        """What a function that takes an axis of experiments as it is gives, (experiments, …)."""
        count = len(next(iter(moved.values())))
        args, _ = filled(step, lambda each: self._in_front(each, moved))
        return [
            each if len(each) == count else each.expand(count, *each.shape[1:]) for each in tensors_in(step.func(*args))
        ]

    def _in_front(self, value: Value, moved: Mapping[int, Any]) -> Any:
        """A value as it is in all experiments, (experiments or 1, …)."""
        return moved[value.number] if value.number in moved else self._values[value.number].unsqueeze(0)

    def _mapped(self, step: Step, moved: Mapping[int, Any]) -> Sequence[Any]:
        """What any operation gives, by torch's own rules for many of them at once."""

        def once(given: Mapping[int, Any]) -> list[Any]:
            args, kwargs = filled(step, lambda each: given.get(each.number, self._values[each.number]))
            return list(tensors_in(computed(step.func, args, kwargs)))

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of operations that it does one by one
            return torch.func.vmap(once)(dict(moved))
