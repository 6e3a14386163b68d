"""Choosing one of several by argmax, example by example, and what a move makes choose otherwise."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Numbers = NDArray[np.intp]


class Switched(NamedTuple):
    """Pairs of an experiment and a column in which another one is chosen than without the experiment."""

    experiments: Numbers  # (pairs,)
    columns: Numbers  # (pairs,)
    choices: Numbers  # (pairs,), what is chosen instead

    @classmethod
    def of(cls, scores: Array, before: Numbers) -> "Switched":
        """The pairs, given scores, (experiments, choices, columns), and the choice without experiments, (columns,)."""
        choices = strongest(scores)
        experiments, columns = np.nonzero(choices != before)
        return cls(experiments, columns, choices[experiments, columns])


class Routing(NamedTuple):
    """Columns sorted by what is chosen for them, so that those of the same choice are side by side."""

    order: Numbers  # (columns,): where the sorted columns come from
    places: Numbers  # (columns,): where the columns are when they are sorted
    ends: tuple[int, ...]  # where the columns of each choice begin, and one past the last
    masks: Array  # (choices, columns), sorted: a one where this is the choice, else zero

    @classmethod
    def of(cls, choice: Numbers, choices: int) -> "Routing":
        """The columns sorted by choice, (columns,)."""
        order = np.argsort(choice, kind="stable")
        places = np.empty_like(order)
        places[order] = np.arange(len(order))
        by_choice = choice[order]
        ends = np.searchsorted(by_choice, np.arange(choices + 1))
        masks = (by_choice == np.arange(choices)[:, np.newaxis]).astype(np.float32)
        return cls(order, places, tuple(map(int, ends)), masks)

    def columns(self, choice: int) -> slice:
        """The sorted columns of a choice."""
        return slice(self.ends[choice], self.ends[choice + 1])


def strongest(scores: Array) -> Numbers:
    """The choice with the highest score, (…, columns), of scores (…, choices, columns); the first of equals."""
    return scores.argmax(axis=-2)
