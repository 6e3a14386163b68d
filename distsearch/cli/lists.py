"""The list of runs: which of them, in which order, and as many columns as fit."""

import re
import shlex
from collections.abc import Callable, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from rich.cells import cell_len

from distsearch import config
from distsearch.cli.columns import Cells, lines
from distsearch.errors import SettingError, brief, unknown
from distsearch.runs.summaries import DAMAGED, Summary
from distsearch.settings import shown
from distsearch.text import duration, escaped

LONGEST_DATA = 24  # characters
SHORTEST_NAME, LONGEST_NAME = 12, 38  # characters that a terminal has for a run's name, or up to half its width
BESIDE_NAMES = 22  # characters for the columns that always stay


class Column(NamedTuple):
    """A column of the list."""

    name: str
    text: Callable[[Summary], str]
    number: bool = True


def _test(run: Summary) -> str:
    if run.test_accuracy is not None:
        return f"{run.test_accuracy:.1%}"
    return "" if run.test_loss is None else f"{run.test_loss:.4g}"


def _date(run: Summary) -> str:
    try:
        return datetime.fromisoformat(run.date).astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return run.date


def _number(form: str, name: str) -> Callable[[Summary], str]:
    def text(run: Summary) -> str:
        value = getattr(run, name)
        return "" if value is None else format(value, form)

    return text


def _data(run: Summary) -> str:
    name = Path(run.data).name
    return name if len(name) <= LONGEST_DATA else f"{name[: LONGEST_DATA - 1]}…"


COLUMNS = (
    Column("run", lambda run: run.run, number=False),
    Column("status", lambda run: run.status, number=False),
    Column("data", _data, number=False),
    Column("strategy", lambda run: run.strategy, number=False),
    Column("seed", _number("d", "seed")),
    Column("step", _number(".3g", "step")),
    Column("loss", _number(".4g", "loss")),
    Column("accuracy", _number(".1%", "accuracy")),
    Column("test", _test),
    Column("rounds", _number(",", "rounds")),
    Column("time", lambda run: "" if run.seconds is None else duration(run.seconds)),
    Column("date", _date),
)
LEAVING = ("date", "step", "time", "rounds", "seed", "data", "accuracy", "strategy", "test")
"""The columns that leave where there is no room for all, the first one first."""


def runs_lines(runs: Sequence[Summary], width: int) -> list[str]:
    """A heading, and a line for each run: those columns that fit into that many characters."""
    room = max(SHORTEST_NAME, min(width - BESIDE_NAMES, max(LONGEST_NAME, width // 2)))
    names = Cells("run", [_fitted(escaped(run.run), room) for run in runs], number=False)
    others = (Cells(each.name, [escaped(each.text(run)) for run in runs], each.number) for each in COLUMNS[1:])
    return lines([names, *others], LEAVING, width)


def _fitted(name: str, room: int) -> str:
    """A name in that many characters of a terminal, without its middle if it needs more."""
    if cell_len(name) <= room:
        return name
    first, last = name[: len(name) // 2], name[len(name) // 2 :]
    while cell_len(first) + cell_len(last) >= room:
        if cell_len(first) > cell_len(last):
            first = first[:-1]
        else:
            last = last[1:]
    return f"{first}…{last}"


def errors(runs: Sequence[Summary]) -> list[str]:
    """A sentence for each run that cannot be read."""
    return [run.error for run in runs if run.status == DAMAGED]


def fields(run: Summary) -> dict[str, Any]:
    """What runs can be sorted and chosen by: all that is known of one, and all of its settings."""
    known = {name: getattr(run, name) for name in Summary.__struct_fields__ if name != "config"}
    settings = {flag: run.config.get(section, {}).get(name) for section, name, flag in _flags()}
    own = {name.replace("_", "-"): value for name, value in run.config.get("settings", {}).items()}
    figures = {name.replace("_", "-"): value for name, value in known.items()}
    return {**settings, **own, **figures, "test": run.test_accuracy, "time": run.seconds}


@cache
def _flags() -> list[tuple[str, str, str]]:
    """Section, name and flag of every setting that is not a strategy's own."""
    return [(section, setting.name, setting.flag) for section, setting in config.options()]


def document(run: Summary) -> dict[str, Any]:
    """A run for JSON, with all of its settings."""
    found: dict[str, Any] = msgspec.to_builtins(run)
    return found


def in_order(runs: Sequence[Summary], by: str) -> list[Summary]:
    """The runs by one of their fields, downwards if it begins with a minus; those without it last.

    SettingError if there is no such field.
    """
    name, down = by.removeprefix("-").replace("_", "-"), by.startswith("-")
    known = [fields(run) for run in runs]
    if runs and all(name not in each for each in known):
        raise SettingError(f"--sort: {unknown('column', name, known[0])}{SHOWN}")
    found = [(each.get(name), run) for each, run in zip(known, runs, strict=True)]
    having = [(value, run) for value, run in found if value not in (None, "")]
    without = [run for value, run in found if value in (None, "")]
    number = all(isinstance(value, int | float) for value, _ in having)
    having.sort(key=lambda pair: pair[0] if number else _typed(pair[0]), reverse=down)
    return [run for _, run in having] + without


_CONDITION = re.compile(r"^([\w-]+)(<=|>=|!=|<|>|=|~)(.*)$")


ORDER = ("<", "<=", ">", ">=")
SHOWN = "; `distsearch list --json` shows them"


def those_that_fit(runs: Sequence[Summary], conditions: str) -> list[Summary]:
    """The runs that meet all conditions, such as `strategy=snes loss<0.1`. SettingError if one is none.

    = and != also take patterns such as mnist*, ~ asks whether a text is contained.
    """
    try:
        words = shlex.split(conditions)
    except ValueError as error:
        raise SettingError(
            f"--filter: expected conditions such as strategy=snes, got {brief(conditions)}: {error}"
        ) from None
    every, known = runs, {field for run in runs for field in fields(run)}
    for word in words:
        found = _CONDITION.match(word)
        if found is None:
            raise SettingError(
                f"--filter: expected conditions such as strategy=snes or loss<0.1, without spaces around the sign, "
                f"got {brief(word)}"
            )
        name, sign, wanted = found[1].replace("_", "-"), found[2], found[3]
        if every and name not in known:
            raise SettingError(f"--filter: {unknown('column', name, known)}{SHOWN}")
        if sign in ORDER and not _can_be_ordered(every, name, wanted):
            raise SettingError(
                f"--filter: expected a value to compare with after {name}{sign}, as in loss<0.1, got {brief(wanted)}"
            )
        runs = [run for run in runs if _meets(fields(run).get(name), sign, wanted)]
    return list(runs)


def _can_be_ordered(runs: Sequence[Summary], name: str, wanted: str) -> bool:
    """Whether there is something to compare with: a number, where the column has numbers."""
    if not any(isinstance(fields(run).get(name), int | float) for run in runs):
        return bool(wanted)
    try:
        float(wanted)
    except ValueError:
        return False
    return True


def _meets(value: Any, sign: str, wanted: str) -> bool:
    if value is None:
        return sign == "!="
    text = _typed(value)
    if sign == "~":
        return wanted.lower() in text.lower()
    try:
        first, second = float(text), float(wanted)
    except ValueError:
        if sign in ("=", "!="):
            return fnmatchcase(text.lower(), wanted.lower()) == (sign == "=")
        return {"<": text < wanted, ">": text > wanted, "<=": text <= wanted, ">=": text >= wanted}[sign]
    return {
        "=": first == second,
        "!=": first != second,
        "<": first < second,
        ">": first > second,
        "<=": first <= second,
        ">=": first >= second,
    }[sign]


def _typed(value: Any) -> str:
    return shown(value) if isinstance(value, bool | tuple | list) else str(value)
