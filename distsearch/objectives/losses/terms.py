"""From settings and the data's classes to a loss: which settings it takes, the positive class, the costs of errors."""

import csv
import io
import json
import os
from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distsearch.config.sections import NetworkConfig
from distsearch.data.readers.columns import split_names
from distsearch.errors import SettingError, brief
from distsearch.objectives.losses.base import Array, Loss, Terms
from distsearch.objectives.losses.own import OwnLoss

SETTINGS = ("quantile", "delta", "beta", "top", "positive", "costs")
OBVIOUS = {"1", "1.0", "true", "yes", "y", "t", "positive", "pos", "+"}
"""Labels that say which of two classes is the positive one."""
_JSON = ("{", "[")  # what costs by class names begin with
LARGEST = float(np.finfo(np.float32).max)
MOST_BYTES = 10_000_000  # of a file of costs


def check(settings: NetworkConfig, kind: type[Loss], takers: Mapping[str, type[Loss]]) -> None:
    """SettingError for a setting that the loss does not look at, or needs and lacks."""
    for name in SETTINGS:
        idle = name not in kind.takes and not (name == "positive" and settings.subject_to)
        if getattr(settings, name) is not None and idle:
            fitting = [each for each, other in takers.items() if name in other.takes]
            raise SettingError(
                f"--{name}: has no effect with the loss {settings.loss}: leave it out, or choose the loss "
                f"{' or '.join(fitting)}"
            )
    if not issubclass(kind, OwnLoss):
        kind.of(Terms(classes=1_000_000, **{name: getattr(settings, name) for name in ("quantile", "delta", "beta")}))


def terms_of(settings: NetworkConfig, classes: Sequence[str] | None) -> Terms:
    """The terms that settings, in which nothing is left open, come to for classes by these labels."""
    if classes is None:
        return Terms(0, settings.quantile, settings.delta, settings.beta, settings.top)
    positive = None if settings.positive is None else _number(settings.positive, classes)
    by_example = bool(cost_columns(settings))
    costs = None if settings.costs is None or by_example else matrix(settings.costs, classes)
    given = settings.quantile, settings.delta, settings.beta, settings.top
    return Terms(len(classes), *given, positive, costs, by_example)


def cost_columns(settings: NetworkConfig) -> tuple[str, ...]:
    """The columns that say what each prediction costs, if that is what costs are given as: names with commas between.

    A file is taken for a file, and JSON for JSON.
    """
    given = (settings.costs or "").strip()
    if is_json(given) or "," not in given or os.path.isfile(given):
        return ()
    return tuple(split_names(given))


def positive_class(classes: Sequence[str], counts: NDArray[Any]) -> str:
    """The label that is taken for the positive one of two: 1, true or yes, else the rarer one."""
    obvious = [label for label in classes if label.lower() in OBVIOUS]
    return obvious[0] if len(obvious) == 1 else classes[int(np.argmin(counts[::-1])) * -1 - 1]


def is_json(given: str) -> bool:
    """Whether costs are given as JSON, not as a file or as the names of columns."""
    return given.lstrip().startswith(_JSON)


def costs_text(given: str) -> str:
    """Costs as they are kept with a run: JSON as it is given, or the content of a CSV file as JSON.

    Raises SettingError if it cannot be read, or is no table of numbers by class names.
    """
    if is_json(given):
        return given
    try:
        with Path(given).open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise SettingError(
            f"--costs: cannot read {given}: {error.strerror}; columns of costs are named with commas between, such as "
            "cost_no,cost_yes"
        ) from None
    try:
        reader = csv.reader(io.StringIO(content.decode("utf-8-sig")), skipinitialspace=True)
        rows = [(reader.line_num, row) for row in reader if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise SettingError(f"--costs: {given} is not CSV: {error}") from None
    if len(content) > MOST_BYTES or len(rows) < 2:
        raise SettingError(
            f"--costs: expected {given} to have a line of predicted classes, and one for each true class: "
            "its name and the costs"
        )
    names = [name.strip() for name in rows[0][1][1:]]
    table: dict[str, dict[str, float]] = {}
    for line, row in rows[1:]:
        true = row[0].strip()
        if len(row) - 1 != len(names) or true in table:
            came = f"{true} a second time" if true in table else f"{len(row) - 1}"
            raise SettingError(f"--costs: {given}, line {line}: expected a class and {len(names)} costs, got {came}")
        table[true] = {name: _cost(cost, f"{given}, line {line}") for name, cost in zip(names, row[1:], strict=True)}
    return json.dumps(table, ensure_ascii=False)


def matrix(text: str, classes: Sequence[str]) -> Array:
    """Costs, (true classes, predicted classes), from JSON: by names, or a list for each class in their order.

    Raises SettingError if they do not fit the classes.
    """
    try:
        found = json.loads(text)
    except ValueError as error:
        raise SettingError(
            f"--costs: expected a file, or costs by class names as JSON, got {brief(text)}: {error}"
        ) from None
    if isinstance(found, list):
        found = _by_names(found, classes)
    rows = np.zeros((len(classes), len(classes)), np.float32)
    for place, row in ((None, found), *(found.items() if isinstance(found, dict) else ())):
        if not isinstance(row, dict) or set(row) != set(classes):
            came = ", ".join(map(str, row)) if isinstance(row, dict) else brief(row)
            what = "a row for each of the classes" if place is None else f"{place!r} to have a cost for each of"
            raise SettingError(f"--costs: expected {what} {_names(classes)}, got {came or 'none'}")
    for number, true in enumerate(classes):
        rows[number] = [_cost(found[true][label], f"the costs of {true!r}") for label in classes]
    if (rows.argmin(axis=1) == rows.argmin(axis=1)[0]).all() and (np.ptp(rows, axis=1) == 0).all():
        raise SettingError("--costs: every prediction costs the same, so there is nothing to learn")
    return rows


def _by_names(rows: list[Any], classes: Sequence[str]) -> dict[str, Any]:
    lengths = [len(row) if isinstance(row, list) else 0 for row in rows]
    if lengths != [len(classes)] * len(classes):
        raise SettingError(
            f"--costs: expected {len(classes)} lists of {len(classes)} costs, for the classes {_names(classes)}, "
            f"got {len(rows)} of {', '.join(map(str, sorted(set(lengths)))) or 'none'}"
        )
    return {true: dict(zip(classes, row, strict=True)) for true, row in zip(classes, rows, strict=True)}


def _cost(given: object, where: str) -> float:
    try:
        cost = float(given) if isinstance(given, str | int | float) and not isinstance(given, bool) else None
    except ValueError:
        cost = None
    if cost is None or not isfinite(cost) or abs(cost) > LARGEST:
        raise SettingError(f"--costs: {where}: expected a finite number, got {brief(given)}")
    return cost


def _number(label: str, classes: Sequence[str]) -> int:
    """The number of a class."""
    if len(classes) != 2:
        raise SettingError(
            f"--positive: expected two classes, got {len(classes)}: leave it out, as the mean over all is taken"
        )
    if label not in classes:
        raise SettingError(f"--positive: expected {' or '.join(map(repr, classes))}, got {label!r}")
    return classes.index(label)


def _names(classes: Sequence[str]) -> str:
    shown = ", ".join(classes[:10])
    return shown if len(classes) <= 10 else f"{shown}, … ({len(classes)} in all)"
