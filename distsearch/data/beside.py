"""What is known of examples beside their features and targets: the groups they are in, what each prediction costs."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distsearch.data.checks import finite
from distsearch.data.preparation import numbers_of
from distsearch.data.raw import Raw, listed, quoted
from distsearch.data.readers.values import column_of
from distsearch.data.schema import Schema
from distsearch.errors import DataError, SettingError

PROFITS = ("profit", "gain", "revenue", "earning")
"""What the name of a column begins with that says what a prediction earns, not what it costs."""

Groups = NDArray[np.int64]
Costs = NDArray[np.float32]


class Beside(NamedTuple):
    """Of some examples; None where the schema has no such columns."""

    groups: Groups | None = None  # (columns, examples): numbers that are the same for what is alike in a column
    costs: Costs | None = None  # (examples, classes): what predicting each class costs

    def at(self, rows: NDArray[np.intp] | slice) -> "Beside":
        """Those of some of the examples."""
        return Beside(
            None if self.groups is None else np.ascontiguousarray(self.groups[:, rows]),
            None if self.costs is None else np.ascontiguousarray(self.costs[rows]),
        )


NOTHING = Beside()


def beside_of(raw: Raw, schema: Schema) -> Beside:
    """What the columns that a schema names say of the examples. Raises DataError for what they cannot hold."""
    groups = None if schema.groups is None else np.stack([group_numbers(raw, name) for name in schema.groups])
    return Beside(groups, None if schema.costs is None else _costs(raw, schema.costs))


def group_numbers(raw: Raw, name: str) -> Groups:
    """The number of each example's group, (examples,): of those whose values in a column are written alike."""
    table: dict[Any, int] = {}
    values = column_named(raw, name).tolist()
    return np.fromiter((table.setdefault(str(value), len(table)) for value in values), np.int64, len(values))


def column_named(raw: Raw, name: str) -> NDArray[Any]:
    """A column that was read beside the features, (examples,). Raises DataError if there is none."""
    if name not in raw.beside:
        raise DataError(
            f"{raw.source} has no named columns, so no column {name!r}; take a table or a data frame that has it"
        )
    return raw.beside[name]


def columns_by_class(columns: Sequence[str], classes: Sequence[str] | None) -> tuple[str, ...]:
    """The columns of costs in the order of the classes, each of which ends with the label of its class.

    Raises SettingError if they do not fit the classes.
    """
    if classes is None:
        raise SettingError("--costs: expected classes to be learnt, but the targets are numbers; leave it out")
    found = []
    for label in classes:
        own = [column for column in columns if _is_of(column, label)]
        longer = [other for other in classes if len(other) > len(label) and other.endswith(label)]
        own = [column for column in own if not any(_is_of(column, other) for other in longer)]
        if len(own) != 1:
            came = "several" if own else "none"
            raise SettingError(
                f"--costs: expected a column for each class ({listed(classes)}), whose name ends with it, such as "
                f"profit_{classes[0]}, got {came} for {quoted(label)} among {listed(columns)}"
            )
        found += own
    if len(columns) != len(classes):
        raise SettingError(
            f"--costs: expected a column for each of {len(classes)} classes ({listed(classes)}), got {len(columns)}: "
            f"{listed(columns)}"
        )
    return tuple(found)


def is_profit(column: str) -> bool:
    """Whether a column's name says that it holds what a prediction earns."""
    return column.strip().lower().startswith(PROFITS)


def _is_of(column: str, label: str) -> bool:
    before = column[: len(column) - len(label)]
    return column.endswith(label) and not before[-1:].isalnum()


def _costs(raw: Raw, columns: Sequence[str]) -> Costs:
    values = np.stack([_numbers(raw, name) * (-1 if is_profit(name) else 1) for name in columns], axis=1)
    return finite(raw, values, columns)


def _numbers(raw: Raw, name: str) -> NDArray[np.float64]:
    def where(index: int) -> str:
        return f"{raw.source}, {raw.place(index)}"

    return numbers_of(raw, column_of(column_named(raw, name), where, name, spelling=raw.spelling_of(name)), name)
