"""The race's table: medians over the seeds, whether the aims are met, and what a second worker is worth."""

from collections.abc import Iterable, Sequence
from typing import Any

from rich.table import Table

from nondiff.lines import LINE_COLUMNS, Line, grouped, labelled, rounded, spread
from nondiff.marks import OURS, Search, Speed, median_of, speed
from nondiff.rows import ROWS, Aim, Row

SPEED_AIM = 1.75  # two workers, one worker
COLUMNS = (
    *LINE_COLUMNS,
    "seconds to PolyStep's accuracy",
    "failure",
    "command",
)


class RaceLine(Line):
    """A line of the race."""

    row: Row

    @property
    def to_polystep(self) -> float | None:
        """The median of the seconds to PolyStep's published accuracy, if it has published one."""
        theirs = self.row.polystep
        return None if theirs is None else self.time_to(theirs)

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


def lines_of(searches: Iterable[Search]) -> list[RaceLine]:
    """A line per entry, in the order of the rows, ours first and the most workers first."""
    return grouped(searches, ROWS, RaceLine)


def speeds(searches: Sequence[Search]) -> dict[str, Speed]:
    """By row, how many times as fast two workers are as one, with the first seed that both have."""
    ours = {(each.row, each.workers, each.seed): each for each in searches if each.ours and not each.failure}
    found: dict[str, Speed] = {}
    for (row, workers, seed), one in ours.items():
        two = ours.get((row, 2, seed))
        if workers == 1 and two is not None and row not in found and (ratio := speed(one, two)) is not None:
            found[row] = ratio
    return found


def table_of(lines: Sequence[RaceLine], ratios: dict[str, Speed]) -> Table:
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
                table.add_row("", f"  {other.text}, published", f"{other.accuracy:.1%}", "", rounded(other.seconds))
    return table


def _cells(line: RaceLine) -> list[str]:
    if not line.done:
        return [""] * 4
    return [f"{line.accuracy:.2%}", spread(line), rounded(line.seconds), rounded(line.to_polystep)]


def _ratio(ratio: Speed | None) -> str:
    if ratio is None:
        return ""
    mark = "" if ratio.ratio >= SPEED_AIM else " MISSED"
    return f"{ratio.ratio:.2f}{mark}{'' if ratio.same else ', OTHER WEIGHTS'}"


def rows_of(lines: Iterable[RaceLine]) -> list[dict[str, Any]]:
    """The table's lines for a CSV file."""
    return [
        {
            **line.columns,
            **({"seconds to PolyStep's accuracy": line.to_polystep} if line.done else {}),
            "failure": line.failure,
            "command": line.searches[0].command,
        }
        for line in lines
    ]
