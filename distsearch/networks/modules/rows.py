"""Values that experiments change for a few examples only, as where an argmax picks another choice.

A step that takes each example by itself is done again for those alone, as if the data were no more than they.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch

from distsearch.networks.modules.axes import RULES, expanded, flattened
from distsearch.networks.modules.columns import Rows
from distsearch.networks.modules.tape import Recording, Step, Value, filled
from distsearch.networks.modules.watching import tensors_in

FEW = 4  # one in so many pairs of an experiment and an example may be changed, or all are computed


def changed(found: Any, base: Any) -> Any:
    """Tensors of many experiments, (experiments, examples, …), as Rows if few examples differ from those without."""
    differ = found != base
    differ = differ.flatten(2).any(2) if differ.dim() > 2 else differ
    experiments, examples = differ.nonzero().unbind(1)
    if len(examples) * FEW > differ.numel():
        return found
    return Rows(found[experiments, examples], experiments, examples, len(found))


class Alone(NamedTuple):
    """Which values of a record are of which kind; all others do not depend on the data."""

    numbers: frozenset[int] = frozenset()
    """Those, (examples, …), of which each example's part depends on that example alone."""
    others: frozenset[int] = frozenset()
    """Those that depend on the data otherwise, or are laid out otherwise."""
    values: int = 0  # of the record

    @classmethod
    def of(cls, first: Recording, second: Recording) -> "Alone":
        """From two records of a module, on made-up examples of which only the first one differs."""
        if len(first.values) != len(second.values):
            return cls()
        examples = len(first.values[0])
        depending: set[int] = {0}
        sized: set[int] = set()
        for step in first.steps:
            if not depending.isdisjoint(step.takes):
                depending.update(step.gives)
            if RULES.get(step.func) not in (flattened, expanded) and _knows(step, examples):
                sized.update(step.gives)
        pairs = zip(first.values, second.values, strict=True)
        found = {
            number for number, pair in enumerate(pairs) if number in depending and _is_alone(*pair, examples)
        } - sized
        return cls(frozenset(found), frozenset(depending - found), len(first.values))

    def step_for(self, step: Step, few: Mapping[int, Any], examples: Any, values: Sequence[Any]) -> Any:
        """What a step gives for some examples, (some, …), from moved values for them; None if it cannot be done so."""
        (number, *more), result = step.gives, values[step.gives[0]]
        if more or number not in self.numbers or not self.others.isdisjoint(step.takes):
            return None
        rule = RULES.get(step.func)

        def fill(value: Value) -> Any:
            if value.number in few:
                return few[value.number]
            base = values[value.number]
            return base[examples] if value.number in self.numbers else base

        if rule in (flattened, expanded):  # whose arguments may be sizes
            first = fill(step.args[0])
            shape = len(examples), *result.shape[1:]
            if rule is flattened:
                return first.reshape(shape)
            return first.expand(shape) if first.dim() == result.dim() else None
        args, kwargs = filled(step, fill)
        found = step.func(*args, **kwargs)
        return found if found.shape == (len(examples), *result.shape[1:]) else None


NOT_ALONE = Alone()
"""Of a record of which nothing is known."""


def _knows(step: Step, count: int) -> bool:
    """Whether a step has the number of examples in its arguments, as the size of a constant or as itself."""
    numbers = [each for each in (*step.args, *step.kwargs.values()) if isinstance(each, int)]
    return count in numbers or any(count in each.shape for each in tensors_in((step.args, step.kwargs)))


def _is_alone(one: Any, other: Any, count: int) -> bool:
    return bool(one.dim()) and one.shape == other.shape and len(one) == count and torch.equal(one[1:], other[1:])
