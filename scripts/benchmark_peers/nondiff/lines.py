"""The searches of one entry with all seeds, as a line of a table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, TypeVar

from nondiff.marks import OURS, Search, median_of

LINE_COLUMNS = (
    "row",
    "network",
    "who",
    "workers",
    "searches",
    "accuracy",
    "lowest",
    "highest",
    "seconds",
    "rounds",
)
"""What a CSV file says of every line."""

AnyLine = TypeVar("AnyLine", bound="Line")


@dataclass(frozen=True)
class Line:
    """The searches of one entry with all seeds."""

    row: Any
    who: str
    workers: int
    searches: tuple[Search, ...]

    @property
    def done(self) -> list[Search]:
        """Those that came to an end."""
        return [each for each in self.searches if each.end is not None]

    @property
    def accuracies(self) -> list[float]:
        """What they came to, in rising order."""
        return sorted(each.end.accuracy for each in self.done if each.end)

    @property
    def accuracy(self) -> float:
        """The median of what they came to."""
        return median_of(self.done, lambda each: each.end.accuracy if each.end else 0.0)

    @property
    def seconds(self) -> float:
        """The median of the seconds that they took."""
        return median_of(self.done, lambda each: each.end.seconds if each.end else inf)

    @property
    def failure(self) -> str:
        """Why one of them failed."""
        return next((each.failure for each in self.searches if each.failure), "")

    def time_to(self, accuracy: float) -> float:
        """The median of the seconds to an accuracy; infinite if most do not reach it."""
        return median_of(self.done, lambda each: each.time_to(accuracy))

    @property
    def columns(self) -> dict[str, Any]:
        """What a CSV file says of it, with figures if any of them came to an end."""
        entry = {
            "row": self.row.name,
            "network": self.row.title,
            "who": self.who,
            "workers": self.workers,
            "searches": len(self.searches),
        }
        if not self.done:
            return entry
        return entry | {
            "accuracy": self.accuracy,
            "lowest": self.accuracies[0],
            "highest": self.accuracies[-1],
            "seconds": round(self.seconds, 2),
            "rounds": median_of(self.done, lambda each: each.end.rounds if each.end else 0),
        }


def grouped(searches: Iterable[Search], rows: Mapping[str, Any], kind: type[AnyLine]) -> list[AnyLine]:
    """A line per entry, in the order of the rows, ours first and the most workers first."""
    groups: dict[tuple[str, str, int], list[Search]] = {}
    for each in searches:
        if each.end is not None or each.failure:
            groups.setdefault((each.row, each.who, each.workers), []).append(each)
    lines = [kind(rows[row], who, workers, tuple(own)) for (row, who, workers), own in groups.items()]
    names = list(rows)
    return sorted(lines, key=lambda line: (names.index(line.row.name), line.who != OURS, line.who, -line.workers))


def spread(line: Line) -> str:
    """The lowest and the highest accuracy of several searches."""
    numbers: Sequence[float] = line.accuracies
    return f"{numbers[0]:.2%} … {numbers[-1]:.2%}" if len(numbers) > 1 else ""


def labelled(who: str, workers: int) -> str:
    """An entry by name, ours with its workers."""
    return f"{who}, {workers or 'no'} worker{'' if workers == 1 else 's'}" if who == OURS else who


def sentence(search: Search) -> str:
    """What a search has come to."""
    what = f"{search.row}, {labelled(search.who, search.workers)}, seed {search.seed}"
    if search.failure:
        return f"{what}: {search.failure}"
    if search.end is None:
        return f"{what}: {search.marks[-1].rounds} rounds in {search.marks[-1].seconds:.3g} s"
    return f"{what}: {search.end.accuracy:.2%} after {search.end.seconds:.3g} s, {search.end.rounds} rounds"


def rounded(seconds: float | None) -> str:
    """Seconds as a table says them; a dash for never."""
    if seconds is None:
        return ""
    return "–" if seconds == inf else f"{seconds:,.0f}" if seconds >= 100 else f"{seconds:.3g}"
