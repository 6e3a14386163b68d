"""Where a module picks one of several results for each example, as of experts by a gate.

What is not picked need not be computed: for examples of which the same is picked without a move, the others only where
a move picks them instead. It is recognised by what picks: a product with the truths of a decision, perhaps summed up
over results that were stacked, torch.where, or gathering from stacked results.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch

from distsearch.networks.modules.axes import STACKING, SUMS, axis_of, from_the_end, functions
from distsearch.networks.modules.columns import ELEMENTWISE, Columns
from distsearch.networks.modules.tape import Step, Value

DECISIONS = functions("argmax", "argmin", "one_hot", "gt", "ge", "lt", "le", "eq", "ne", "greater", "less")
DECISIONS |= functions("__gt__", "__ge__", "__lt__", "__le__", "__eq__", "__ne__")
_SHAPING = functions("unsqueeze", "expand", "view", "reshape") | {torch.Tensor.__getitem__}
_GATHERING = functions("gather")
_PRODUCTS, _WHERE = functions("mul", "multiply") | {torch.Tensor.__rmul__}, functions("where")
MOST_PARTS = 8  # that examples are divided into


class Term(NamedTuple):
    """One of the results."""

    number: int
    steps: tuple[int, ...]  # that nothing else needs
    takes: frozenset[int]  # what these steps take of others; itself, if there are none


class Selection(NamedTuple):
    """A pick of one of several terms by a mask, both of them values of a record."""

    mask: int
    axis: int | None  # of the stacked terms; None where the mask tells whether the first is picked, else the second
    terms: tuple[Term, ...]
    steps: tuple[int, ...]  # that make one result of all terms
    by_mask: int  # the one of them that takes the mask
    by_number: bool = False  # whether the mask has the numbers of terms, not truths

    @property
    def takes(self) -> set[int]:
        """The values of which it is made."""
        return {self.mask}.union(*(term.takes for term in self.terms))

    @property
    def numbers(self) -> set[int]:
        """The mask and the terms."""
        return {self.mask, *(term.number for term in self.terms)}

    def picks(self, mask: Any, term: int) -> Any:
        """The examples for which a term is picked, (examples,), by a mask, (examples, …)."""
        if self.by_number:
            picked = mask == term
        elif self.axis is not None:
            picked = mask.select(self.axis, term) != 0
        else:
            picked = mask == 0 if term else mask != 0
        return picked.flatten(1).any(1) if picked.dim() > 1 else picked


def selections_in(steps: Sequence[Step], values: Sequence[Any]) -> list[Selection]:
    """All selections of a record, in order, of which a term has steps of its own."""
    return _Finding(steps, values).found


def parted(selections: Sequence[Selection], values: Sequence[Any]) -> list[Any]:
    """The examples, as numbers, divided by what is picked for them; empty if by too many, or always the same."""
    masks = [each.picks(values[each.mask], term) for each in selections for term in range(len(each.terms))]
    if not masks:
        return []
    kinds, of_example = torch.stack(masks, 1).unique(dim=0, return_inverse=True)
    if len(kinds) > MOST_PARTS:
        return []
    return [(of_example == kind).nonzero().flatten() for kind in range(len(kinds))]


class Sole(NamedTuple):
    """The only one of stacked terms that is picked for some examples."""

    number: int
    factor: Any  # what it is multiplied by, (examples, …); None for ones
    selection: Selection

    def joined(self, values: Any) -> Any:
        """What the term, (experiments, examples, …) or Columns, is when it has been multiplied or gathered."""
        if self.selection.by_number:
            return _with_axis(values, self.selection.axis)
        if self.factor is None:
            return values
        if not isinstance(values, Columns):
            return values * self.factor
        wide = self.factor.shape[values.axis] > 1
        return values._replace(values=values.values * (values.of(self.factor) if wide else self.factor))


def sole_terms(selections: Sequence[Selection], values: Sequence[Any]) -> dict[int, Sole]:
    """The only terms that are picked of stacks, by the step that makes the stack."""
    found = {}
    for each in selections:
        mask = values[each.mask]
        picked = [number for number in range(len(each.terms)) if each.picks(mask, number).any()]
        if each.axis is not None and len(picked) == 1 and each.terms[picked[0]].steps:
            factor = None if each.by_number else mask.select(each.axis, picked[0])
            if factor is not None and bool((factor == 1).all()):
                factor = None
            found[each.steps[0]] = Sole(each.terms[picked[0]].number, factor, each)
    return found


def left_out(selections: Sequence[Selection], values: Sequence[Any]) -> frozenset[int]:
    """The steps of terms that are picked for none of the examples."""
    return frozenset(
        at
        for each in selections
        for number, term in enumerate(each.terms)
        if not each.picks(values[each.mask], number).any()
        for at in term.steps
    )


def _with_axis(values: Any, axis: Any) -> Any:
    """A moved value, (experiments, …) or Columns, with a new axis of one element, counted from the last one on."""
    if not isinstance(values, Columns):
        return values.unsqueeze(axis)
    moved = values.axis if values.axis > axis else values.axis - 1
    return Columns(values.values.unsqueeze(axis), values.index, moved)


class _Finding:
    def __init__(self, steps: Sequence[Step], values: Sequence[Any]) -> None:
        self._steps, self._values = steps, values
        self._users: dict[int, list[int]] = {}
        self._made: dict[int, int] = {}
        self.found: list[Selection] = []
        decided: set[int] = set()
        for at, step in enumerate(steps):
            for number in step.takes:
                self._users.setdefault(number, []).append(at)
            self._made.update(dict.fromkeys(step.gives, at))
        for at, step in enumerate(steps):
            if step.func in DECISIONS or (
                step.takes and step.takes <= decided and (step.func in ELEMENTWISE or step.func in _SHAPING)
            ):
                decided.update(step.gives)
            elif (found := self._selection(at, step, decided)) and any(term.steps for term in found.terms):
                self.found.append(found)

    def _selection(self, at: int, step: Step, decided: set[int]) -> Selection | None:
        numbers = [each.number for each in step.args if isinstance(each, Value)]
        if step.func in _WHERE and len(numbers) == len(step.args) == 3 and numbers[0] in decided:
            return Selection(numbers[0], None, tuple(self._term(each, at) for each in numbers[1:]), (at,), at)
        if step.func in _GATHERING and len(numbers) == 2 and len(step.args) == 3 and numbers[1] in decided:
            return self._of_gathered(at, *numbers)
        masks = [number for number in numbers if number in decided]
        if step.func not in _PRODUCTS or len(numbers) != 2 or len(masks) != 1:
            return None
        (mask,), (product,) = masks, set(numbers) - set(masks)
        return self._of_stack(at, mask, product) or Selection(mask, None, (self._term(product, at),), (at,), at)

    def _of_stack(self, at: int, mask: int, product: int) -> Selection | None:
        """A product of stacked terms, summed up."""
        above = self._users.get(self._steps[at].gives[0], [])
        if (found := self._stack(product, at)) is None or len(above) != 1:
            return None
        (made, axis, terms), total = found, self._steps[above[0]]
        axes = self._values[product].dim()
        if total.func not in SUMS or axis_of(total) is None or from_the_end(axis_of(total), axes) != axis:
            return None
        if self._values[mask].dim() != axes or self._values[mask].shape[axis] != len(terms):
            return None
        return Selection(mask, axis, terms, (made, at, above[0]), at)

    def _of_gathered(self, at: int, gathered: int, mask: int) -> Selection | None:
        """One of stacked terms for each example, gathered by its number."""
        found, axis = self._stack(gathered, at), axis_of(self._steps[at])
        if found is None or axis is None or from_the_end(axis, self._values[gathered].dim()) != found[1]:
            return None
        made, axis, terms = found
        alone = self._values[mask].shape[axis] == 1
        return Selection(mask, axis, terms, (made, at), at, by_number=True) if alone else None

    def _stack(self, number: int, taken: int) -> tuple[int, int, tuple[Term, ...]] | None:
        """The step that stacks terms to a value that one step takes, its axis below 0, and the terms."""
        made = self._made.get(number)
        if made is None or self._users[number] != [taken] or self._steps[made].func not in STACKING:
            return None
        stack = self._steps[made]
        if not all(isinstance(each, Value) for each in stack.args[0]):
            return None
        terms = tuple(self._term(each.number, made) for each in stack.args[0])
        return made, from_the_end(axis_of(stack, 0), self._values[number].dim()), terms

    def _term(self, number: int, taken: int) -> Term:
        """A value that a step takes, and the steps that are only there for it."""
        steps: set[int] = set()
        needed, users = {number}, {taken}
        for at in range(self._made.get(number, -1), -1, -1):
            step = self._steps[at]
            if needed.isdisjoint(step.gives):
                continue
            if all(users.issuperset(self._users.get(each, ())) for each in step.gives):
                steps.add(at)
                users.add(at)
                needed.update(step.takes)
        given = {each for at in steps for each in self._steps[at].gives}
        takes = {each for at in steps for each in self._steps[at].takes} - given
        return Term(number, tuple(sorted(steps)), frozenset(takes) if steps else frozenset({number}))
