"""Chooses a table's columns by name: the features, the targets, and what is neither."""

import csv
import io
from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

from distsearch.data.raw import Selection, listed, quoted, training_features
from distsearch.errors import DataError

INDEX_LEFT_OUT = "the first column is left out, as it has no name and another whole number in each row"


class Choice(NamedTuple):
    """Indices of columns: the features in the selected order, the targets, and others that are only returned."""

    features: list[int]
    targets: list[int]
    beside: list[int]

    @property
    def all(self) -> list[int]:
        """All of them, each once, in the order of the table."""
        return sorted({*self.features, *self.targets, *self.beside})


def choose(path: str, names: Sequence[str], selection: Selection, spare: Collection[int] = ()) -> Choice:
    """The columns that are wanted of a table. Raises DataError naming one that does not exist, or exists twice.

    spare: columns that need no name, since they are not wanted.
    """
    for index, name in enumerate(names):
        if not name and index not in spare:
            titled = sum(map(bool, names)) == 1 < len(names) - 1
            instead = f", or remove the lines above the names, with {listed([*filter(None, names)])}" if titled else ""
            raise DataError(
                f"{path}: expected a name for every column, but column {index + 1} has none; name it{instead}"
            )
    _check_once(path, list(filter(None, names)), "name", "; rename one of them")
    _check_once(path, selection.features or (), "to learn from")
    place = {name: index for index, name in enumerate(names)}
    for what, wanted in (("columns to drop", selection.drop), ("names of columns", selection.beside)):
        for name in wanted:
            if name not in place:
                raise DataError(f"{path}: expected {what}, but {lacks(name, names)}")
    if both := [name for name in selection.features or () if name in selection.drop]:
        raise DataError(f"{path}: expected columns to learn from or to drop, got {listed(both)} as both")
    there = [name for name in selection.besides if name in place]
    beside = [place[name] for name in dict.fromkeys((*there, *selection.beside))]
    if selection.everything:
        beside = [index for index in range(len(names)) if index not in spare]
    targets = _targets(path, names, selection) if selection.targets else []
    if selection.features is None:
        left_out = {*spare, *targets, *(place[name] for name in (*selection.drop, *selection.beside))}
        features = [index for index in range(len(names)) if index not in left_out]
        if not features:
            came = f"only {quoted(names[0])}" if names else "no columns"
            instead = "add one"
            if len(names) == 1 and not names[0].replace("_", "").isalnum():
                instead = "add one, or separate the columns by commas, semicolons, tabs or bars"
            raise DataError(f"{path}: expected a feature besides the target, got {came}; {instead}")
        return Choice(features, targets, beside)
    for name in selection.features:
        if name not in place:
            count = len(selection.features)
            raise DataError(f"{path}: expected the {training_features(count)}, but {lacks(name, names)}")
    return Choice([place[name] for name in selection.features], targets, beside)


def spare_of(nameless: Collection[int], rows: Iterable[Sequence[Any]]) -> tuple[set[int], str]:
    """The columns without a name that hold no data, and a clause on what is left out with them, if it is worth one.

    They are the empty ones, and the first if it has another whole number in each row, as an index has.
    """
    empty, seen, numbered = set(nameless), set[str](), 0 in nameless
    for row in rows:
        cells = {column: str(row[column]).strip() for column in nameless if column < len(row)}
        empty -= {column for column, cell in cells.items() if cell not in ("", "None")}
        number = cells.get(0, "")
        numbered = numbered and number.isdigit() and number not in seen
        seen.add(number)
        if not numbered and not empty:
            break
    indexed = numbered and 0 not in empty
    return empty | ({0} if indexed else set()), INDEX_LEFT_OUT if indexed else ""


def _check_once(path: str, names: Sequence[str], role: str, advice: str = "") -> None:
    if len(set(names)) < len(names):
        twice = next(name for index, name in enumerate(names) if name in names[:index])
        raise DataError(f"{path}: expected every column {role} once, got {quoted(twice)} twice{advice}")


def _targets(path: str, names: Sequence[str], selection: Selection) -> list[int]:
    taken = {*(selection.features or ()), *selection.drop, *selection.beside}
    if selection.target:
        wanted = target_names(selection.target, names)
        _check_once(path, wanted, "as a target")
        for name in wanted:
            if name not in names:
                raise DataError(f"{path}: expected a target column, but {lacks(name, names)}")
            if name in taken:
                use = _other_use(name, selection)
                raise DataError(
                    f"{path}: expected a target column, got {quoted(name)}, which is {use} too; choose one use of it"
                )
        return [names.index(name) for name in wanted]
    free = [index for index, name in enumerate(names) if name and name not in taken]
    if not free:
        raise DataError(f"{path}: expected a target column besides the features, but there is none; add it")
    return free[-1:]


def _other_use(name: str, selection: Selection) -> str:
    if name in (selection.features or ()):
        return "a feature"
    return "dropped" if name in selection.drop else "a column that is not learnt from"


def target_names(target: str, names: Sequence[str] = ()) -> list[str]:
    """The columns that a target such as y1,y2 names; a single one if a column is called so."""
    return [target] if target in names else split_names(target)


def split_names(text: str) -> list[str]:
    """Names of columns with commas between; one that has a comma in it stands in quotes."""
    return [name.strip() for name in next(csv.reader([text], skipinitialspace=True), []) if name.strip()]


def join_names(names: Sequence[str]) -> str:
    """Names with commas between, as `split_names` takes them apart; a single one as it is."""
    if len(names) == 1:
        return names[0]
    file = io.StringIO()
    csv.writer(file, lineterminator="").writerow(names)
    return file.getvalue()


def lacks(name: str, names: Sequence[str]) -> str:
    """A clause saying that a column does not exist, with the closest name and all names."""
    near = get_close_matches(name, names, n=1)
    hint = f" (did you mean {quoted(near[0])}?)" if near else ""
    return f"there is no column {quoted(name)}{hint}; the columns are {listed(names)}"
