"""Chooses a table's columns by name: the features and the target."""

from collections.abc import Sequence
from difflib import get_close_matches

from distsearch.data.raw import Selection, listed, quoted
from distsearch.errors import DataError


def choose(path: str, names: Sequence[str], selection: Selection) -> tuple[list[int], int | None]:
    """The indices of a table's feature columns, in the selected order, and of its target column."""
    for index, name in enumerate(names):
        if not name:
            raise DataError(
                f"{path}: expected a name for every column, but column {index + 1} has none; "
                "name it, or write the table without its index"
            )
    if len(set(names)) < len(names):
        twice = next(name for index, name in enumerate(names) if name in names[:index])
        raise DataError(f"{path}: expected every column name once, got {quoted(twice)} twice; rename one of them")
    place = {name: index for index, name in enumerate(names)}
    target = _target(path, names, selection) if selection.targets else None
    if selection.features is None:
        features = [index for index in range(len(names)) if index != target]
        if not features:
            there = f"only {quoted(names[0])}" if names else "no columns"
            raise DataError(f"{path}: expected a feature besides the target, got {there}; add one")
        return features, target
    for name in selection.features:
        if name not in place:
            count = len(selection.features)
            raise DataError(f"{path}: expected the {count} training features, but {lacks(name, names)}")
    return [place[name] for name in selection.features], target


def _target(path: str, names: Sequence[str], selection: Selection) -> int:
    if selection.target:
        if selection.target not in names:
            raise DataError(f"{path}: expected a target column, but {lacks(selection.target, names)}")
        if selection.target in (selection.features or ()):
            raise DataError(
                f"{path}: expected a target column, got {quoted(selection.target)}, which is a feature; "
                "choose the column that was the target in training"
            )
        return names.index(selection.target)
    wanted = set(selection.features or ())
    free = [index for index, name in enumerate(names) if name not in wanted]
    if not free:
        raise DataError(f"{path}: expected a target column besides the features, but there is none; add it")
    return free[-1]


def lacks(name: str, names: Sequence[str]) -> str:
    """A clause saying that a column does not exist, with the closest name and all names."""
    near = get_close_matches(name, names, n=1)
    hint = f" (did you mean {quoted(near[0])}?)" if near else ""
    return f"there is no column {quoted(name)}{hint}; the columns are {listed(names)}"
