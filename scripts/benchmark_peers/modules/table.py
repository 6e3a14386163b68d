"""The table: medians over the seeds, a module beside the same layers, and others beside ours."""

from collections.abc import Iterable, Sequence
from math import inf
from typing import Any

from nondiff.lines import LINE_COLUMNS, Line, grouped, rounded, spread
from nondiff.marks import OURS, Search, median_of

from modules.rows import LAYERS, PEERS_AIM, RATIO_AIM, ROWS, Module

COLUMNS = (
    *LINE_COLUMNS,
    "accuracies",
    "seconds to them",
    "ours to its accuracy",
    "times fewer seconds",
    "module by layers",
    "failure",
)
HEADINGS = ("network", "who", "accuracy", "range", "seconds", "seconds to accuracies", "beside ours", "aim")


class ModuleLine(Line):
    """The searches of a module by one entry."""

    row: Module

    @property
    def times(self) -> list[float]:
        """The seconds to each of the module's accuracies."""
        return [self.time_to(accuracy) for accuracy in self.row.accuracies]

    @property
    def best(self) -> float:
        """The median of the highest accuracies that were measured on the way."""
        return median_of(self.done, lambda each: max(mark.accuracy for mark in each.marks))

    @property
    def has_learnt(self) -> bool:
        """Whether it came to more than chance."""
        return self.best > self.row.chance


class Compared:
    """All lines, among which each finds the one of our search of the module."""

    def __init__(self, searches: Iterable[Search]) -> None:
        self.lines = grouped(searches, ROWS, ModuleLine)
        self._ours: dict[str, ModuleLine] = {}
        for line in self.lines:  # of several with different workers the first, with the most
            if line.who == OURS and line.done:
                self._ours.setdefault(line.row.name, line)

    def ours_to(self, line: ModuleLine) -> float:
        """Our seconds to what another one came to, or to more than chance where it did not come to that."""
        ours = self._ours.get(line.row.name)
        return inf if ours is None else ours.time_to(min(max(line.best, line.row.chance), ours.best))

    def fewer(self, line: ModuleLine) -> float | None:
        """How many times as many seconds another one took to what it came to; None for ours, and where it failed.

        At least as many where it has learnt nothing: all its seconds count.
        """
        if line.who in (OURS, LAYERS) or not line.done:
            return None
        return (line.time_to(line.best) if line.has_learnt else line.seconds) / self.ours_to(line)

    def ratio(self, line: ModuleLine) -> float | None:
        """The seconds of the module by those of the layers, to the last accuracy that both reach; None for others."""
        if line.who != LAYERS or not line.done or line.row.name not in self._ours:
            return None
        pairs = zip(self._ours[line.row.name].times, line.times, strict=True)
        ratios = [own / layers for own, layers in pairs if max(own, layers) < inf]
        return ratios[-1] if ratios else None

    def beside(self, line: ModuleLine) -> str:
        """A line beside our search of the module, in words."""
        if (ratio := self.ratio(line)) is not None:
            return f"the module takes {ratio:.2f} times as long"
        if (fewer := self.fewer(line)) is not None:
            ours = rounded(self.ours_to(line))
            if not line.has_learnt:
                return f"nothing learnt; ours has in {ours} s: at least {fewer:,.0f} times fewer"
            return f"ours in {ours} s: {fewer:,.0f} times fewer"
        return ""

    def verdict(self, line: ModuleLine) -> str:
        """The aim that a line is about, and whether it is met."""
        if line.failure:
            return line.failure
        if (ratio := self.ratio(line)) is not None:
            return f"at most {RATIO_AIM:g}: {_met(ratio <= RATIO_AIM)}"
        if (fewer := self.fewer(line)) is not None:
            return f"at least {PEERS_AIM:g}: {_met(fewer >= PEERS_AIM)}"
        if line.who != OURS or line.row.layers is not None:
            return ""
        aim = line.row.own.aims[-1]
        return f"{aim.accuracy:.1%} in {aim.seconds:g} s: {_met(line.time_to(aim.accuracy) <= aim.seconds)}"


def _met(met: bool) -> str:
    return "met" if met else "MISSED"


def markdown(compared: Compared) -> str:
    """The table as markdown."""
    rows: list[Sequence[str]] = [HEADINGS, ["---"] * len(HEADINGS)]
    rows += [_cells(compared, line) for line in compared.lines]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _cells(compared: Compared, line: ModuleLine) -> list[str]:
    who = f"{line.who}, {_cores(line)}"
    if not line.done:
        return [line.row.title, who, "", "", "", "", "", line.failure]
    pairs = zip(line.row.accuracies, line.times, strict=True)
    times = ", ".join(f"{accuracy:.1%}: {rounded(seconds)}" for accuracy, seconds in pairs)
    figures = [f"{line.accuracy:.1%}", spread(line), rounded(line.seconds), times]
    return [line.row.title, who, *figures, compared.beside(line), compared.verdict(line)]


def _cores(line: ModuleLine) -> str:
    cores = max(1, line.workers) if line.who in (OURS, LAYERS) else 2
    return f"{cores} core{'s' if cores > 1 else ''}"


def rows_of(compared: Compared) -> list[dict[str, Any]]:
    """The table's lines for a CSV file."""
    return [
        {
            **line.columns,
            **(_figures(compared, line) if line.done else {}),
            "failure": line.failure,
        }
        for line in compared.lines
    ]


def _figures(compared: Compared, line: ModuleLine) -> dict[str, Any]:
    ratio, fewer = compared.ratio(line), compared.fewer(line)
    return {
        "accuracies": " ".join(f"{accuracy:g}" for accuracy in line.row.accuracies),
        "seconds to them": " ".join("-" if seconds == inf else f"{seconds:.2f}" for seconds in line.times),
        "ours to its accuracy": "" if fewer is None else round(compared.ours_to(line), 2),
        "times fewer seconds": "" if fewer is None else round(fewer, 1),
        "module by layers": "" if ratio is None else round(ratio, 2),
    }
