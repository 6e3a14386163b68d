"""A search's marks: what it had come to after some seconds; and what follows from those of several seeds."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import inf
from statistics import median
from typing import NamedTuple

OURS = "distsearch"
DENSITY = 2**0.25  # the ratio of two marks' rounds, or of their seconds


class Mark(NamedTuple):
    """What a search has come to after some rounds."""

    rounds: int  # or steps
    seconds: float  # of search, without those spent measuring
    accuracy: float  # on the test set
    loss: float | None = None  # on the training set
    weights: str = ""  # checksum


@dataclass(frozen=True)
class Search:
    """One search of one row."""

    row: str
    who: str
    workers: int
    seed: int
    marks: tuple[Mark, ...] = ()
    end: Mark | None = None
    """The weights that the search has chosen itself, without the test set; None if it ran for its speed alone."""
    failure: str = ""
    machine: str = ""
    command: str = ""
    """How to run the same from the command line, if it is ours."""

    @property
    def ours(self) -> bool:
        """Whether it is distsearch."""
        return self.who == OURS

    def time_to(self, accuracy: float) -> float:
        """The seconds to the first mark with this accuracy; infinite if there is none."""
        return next((mark.seconds for mark in self.marks if mark.accuracy >= accuracy), inf)

    def accuracy_at(self, seconds: float) -> float:
        """The accuracy after that many seconds, that of the last mark before; of what was chosen, if it had ended."""
        if self.end is not None and self.end.seconds <= seconds:
            return self.end.accuracy
        return max((mark for mark in self.marks if mark.seconds <= seconds), default=Mark(0, 0, 0.0)).accuracy


def mark_due(due: float, done: float, first: float) -> tuple[bool, float]:
    """Whether a mark is due after `done` rounds or seconds, and the next one's; from `first` on at equal ratios."""
    if done < max(due, first):
        return False, due
    due = max(due, first)
    while due <= done:
        due *= DENSITY
    return True, due


def median_of(searches: Iterable[Search], figure: Callable[[Search], float]) -> float:
    """The median of a figure over the searches that did not fail."""
    return median(figure(each) for each in searches if not each.failure)


def median_search(searches: Sequence[Search]) -> Search:
    """The one with the median accuracy at its end, the lower of two."""
    ordered = sorted(searches, key=lambda each: each.end.accuracy if each.end else 0.0)
    return ordered[(len(ordered) - 1) // 2]


class Speed(NamedTuple):
    """Two searches of the same rounds by different numbers of workers."""

    ratio: float  # of the seconds that the fewer and the more workers took
    same: bool  # whether their weights are the same, to the bit, at all marks that both have


def speed(fewer: Search, more: Search) -> Speed | None:
    """How many times as fast the second search is, from the first to the last round at which both have a mark."""
    theirs = {mark.rounds: mark for mark in more.marks}
    pairs = [(mark, theirs[mark.rounds]) for mark in fewer.marks if mark.rounds in theirs]
    if len(pairs) < 2:
        return None
    spent = [pairs[-1][side].seconds - pairs[0][side].seconds for side in (0, 1)]
    return Speed(spent[0] / spent[1], all(one.weights == other.weights for one, other in pairs))
