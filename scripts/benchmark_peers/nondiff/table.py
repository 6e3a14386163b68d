"""The race's table: medians over the seeds, whether the aims are met, and what a second worker is worth."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from rich.table import Table

from nondiff.marks import OURS, Search, Speed, median_of, speed
from nondiff.rows import ROWS, Aim, Row

SPEED_AIM = 1.75  # two workers, one worker
COLUMNS = (
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
    "seconds to PolyStep's accuracy",
    "failure",
    "command",
)


@dataclass(frozen=True)
class Line:
    """The searches of one entry with all seeds."""

    row: Row
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
    def to_polystep(self) -> float | None:
        """The median of the seconds to PolyStep's published accuracy, if it has published one."""
        theirs = self.row.polystep
        return None if theirs is None else median_of(self.done, lambda each: each.time_to(theirs))

    def met(self, aim: Aim) -> bool:
        """Whether the median accuracy at an aim's seconds is at least the aim's."""
        return median_of(self.done, lambda each: each.accuracy_at(aim.seconds)) >= aim.accuracy

    @property
    def verdicts(self) -> str:
        """The aims of ours, and whether they are met; empty for others."""
        if self.who != OURS or not self.done:
            return ""
        return "; ".join(
            f"{aim.accuracy:.1%} in {aim.seconds:g} s: {'met' if self.met(aim) else 'MISSED'}" for aim in self.row.aims
        )

    @property
    def failure(self) -> str:
        """Why one of them failed."""
        return next((each.failure for each in self.searches if each.failure), "")


def lines_of(searches: Iterable[Search]) -> list[Line]:
    """A line per entry, in the order of the rows, ours first and the most workers first."""
    groups: dict[tuple[str, str, int], list[Search]] = {}
    for each in searches:
        if each.end is not None or each.failure:
            groups.setdefault((each.row, each.who, each.workers), []).append(each)
    lines = [Line(ROWS[row], who, workers, tuple(own)) for (row, who, workers), own in groups.items()]
    names = list(ROWS)
    return sorted(lines, key=lambda line: (names.index(line.row.name), line.who != OURS, line.who, -line.workers))


def speeds(searches: Sequence[Search]) -> dict[str, Speed]:
    """By row, how many times as fast two workers are as one, with the first seed that both have."""
    ours = {(each.row, each.workers, each.seed): each for each in searches if each.ours and not each.failure}
    found: dict[str, Speed] = {}
    for (row, workers, seed), one in ours.items():
        two = ours.get((row, 2, seed))
        if workers == 1 and two is not None and row not in found and (ratio := speed(one, two)) is not None:
            found[row] = ratio
    return found


def table_of(lines: Sequence[Line], ratios: dict[str, Speed]) -> Table:
    """The table as printed."""
    table = Table(box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("")
    for name in ("accuracy", "range", "seconds", "to PolyStep's", "2 : 1 workers"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("aims, or why it failed")
    for line in lines:
        ratio = ratios.get(line.row.name) if line.who == OURS and line.workers == 2 else None
        table.add_row(
            line.row.name, labelled(line.who, line.workers), *_cells(line), _ratio(ratio), line.failure or line.verdicts
        )
        if line.who == OURS:
            for other in line.row.published:
                table.add_row("", f"  {other.text}, published", f"{other.accuracy:.1%}", "", _seconds(other.seconds))
    return table


def labelled(who: str, workers: int) -> str:
    """An entry by name, ours with its workers."""
    return f"{who}, {workers or 'no'} worker{'' if workers == 1 else 's'}" if who == OURS else who


def _cells(line: Line) -> list[str]:
    if not line.done:
        return [""] * 4
    numbers = line.accuracies
    spread = f"{numbers[0]:.2%} … {numbers[-1]:.2%}" if len(numbers) > 1 else ""
    return [f"{line.accuracy:.2%}", spread, _seconds(line.seconds), _seconds(line.to_polystep)]


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return "–" if seconds == inf else f"{seconds:,.0f}" if seconds >= 100 else f"{seconds:.3g}"


def _ratio(ratio: Speed | None) -> str:
    if ratio is None:
        return ""
    mark = "" if ratio.ratio >= SPEED_AIM else " MISSED"
    return f"{ratio.ratio:.2f}{mark}{'' if ratio.same else ', OTHER WEIGHTS'}"


def rows_of(lines: Iterable[Line]) -> list[dict[str, Any]]:
    """The table's lines for a CSV file."""
    return [
        {
            "row": line.row.name,
            "network": line.row.title,
            "who": line.who,
            "workers": line.workers,
            "searches": len(line.searches),
            **(_figures(line) if line.done else {}),
            "failure": line.failure,
            "command": line.searches[0].command,
        }
        for line in lines
    ]


def _figures(line: Line) -> dict[str, Any]:
    return {
        "accuracy": line.accuracy,
        "lowest": line.accuracies[0],
        "highest": line.accuracies[-1],
        "seconds": round(line.seconds, 2),
        "rounds": median_of(line.done, lambda each: each.end.rounds if each.end else 0),
        "seconds to PolyStep's accuracy": line.to_polystep,
    }
