"""The reader of JSON: an object for each example, one a line (JSON Lines) or in one array."""

import re
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import msgspec
from numpy.typing import NDArray

from distsearch.data.raw import Raw, Selection, Table, decompressed, quoted, reading
from distsearch.data.readers.columns import Choice, choose, join_names
from distsearch.data.readers.dialect import opened
from distsearch.data.readers.values import cells_of, objects, side_by_side
from distsearch.errors import DataError

Example = dict[str, Any]

HEAD_BYTES = 4096  # in which an array begins, if there is one


def read(path: str, selection: Selection) -> Raw:
    """Read all examples; a name that one of them lacks, or null, is a missing value."""
    with reading(path, "a file of JSON objects", (UnicodeError,)):
        places, examples = [], []
        for place, example in _examples(path):
            places.append(place)
            examples.append(example)
        _refuse_columns(path, examples)
        names = _names(examples)
        return _raw(path, names, choose(path, names, selection), places, examples, selection)


def chunks(path: str, selection: Selection, rows: int) -> Iterator[Raw]:
    """The examples in runs of so many. The file is read twice, as each of them may name another column."""
    with reading(path, "a file of JSON objects", (UnicodeError,)):
        names = _names(example for _, example in _examples(path, whole=False))
        if not names:
            raise DataError(f"{path} is empty; expected a JSON object for each example")
        choice, found = choose(path, names, selection), _examples(path, whole=False)
        while some := list(islice(found, rows)):
            places, examples = zip(*some, strict=True)
            yield _raw(path, names, choice, places, examples, selection)


def _refuse_columns(path: str, examples: Sequence[Example]) -> None:
    """DataError for a single object that holds whole columns."""
    if len(examples) == 1 and all(isinstance(value, list | dict) for value in examples[0].values()):
        raise DataError(
            f"{path}: expected a JSON object for each example, got a single one that holds lists or objects; pandas "
            'writes one for each with to_json(path, orient="records", lines=True)'
        )


def _names(examples: Iterable[Example]) -> list[str]:
    """The columns of examples; the last one, which is the target unless another is named, is the first one's."""
    found = iter(examples)
    first = next(found, {})
    names = dict.fromkeys(first)
    for example in found:
        names |= dict.fromkeys(example)
    last = next(reversed(first), None)
    return [name for name in names if name != last] + ([] if last is None else [last])


def _examples(path: str, *, whole: bool = True) -> Iterator[tuple[str, Example]]:
    """Every example and where it is. Raises DataError for a line that is none."""
    if _is_array(path):
        yield from _of_array(path)
        return
    decoder = msgspec.json.Decoder(Example)
    with opened(path, "utf-8-sig", whole=whole) as lines:
        for number, line in enumerate(lines, start=1):
            if not (text := line.strip()):
                continue
            try:
                yield f"line {number}", decoder.decode(text)
            except (msgspec.DecodeError, RecursionError) as error:
                lacking = re.search(r"\b(?:NaN|Infinity)\b", text)
                instead = f"; JSON has no {lacking[0]}: write null" if lacking else ""
                raise DataError(
                    f'{path}, line {number}: expected a JSON object, such as {{"x": 1}}, but {error}{instead}'
                ) from None


def _is_array(path: str) -> bool:
    with decompressed(path, whole=False) as file:
        return file.read(HEAD_BYTES).removeprefix(BOM_UTF8).lstrip().startswith(b"[")


def _of_array(path: str) -> Iterator[tuple[str, Example]]:
    with decompressed(path) as file:
        content = file.read().removeprefix(BOM_UTF8)
    try:
        examples = msgspec.json.decode(content, type=list[Example])
    except (msgspec.DecodeError, RecursionError) as error:
        raise DataError(f'{path}: expected an array of JSON objects, such as [{{"x": 1}}], but {error}') from None
    for number, example in enumerate(examples, start=1):
        yield f"example {number}", example


def _raw(
    path: str,
    names: Sequence[str],
    choice: Choice,
    places: Sequence[str],
    examples: Sequence[Example],
    selection: Selection,
) -> Raw:
    def values(index: int) -> list[Any]:
        return [example.get(names[index]) for example in examples]

    def where(example: int) -> str:
        return f"{path}, {places[example]}" if places else path

    def feature(index: int) -> NDArray[Any]:
        return cells_of(values(index), where, names[index], text=names[index] in selection.texts)

    targets = [objects(values(index)) for index in choice.targets]
    for column, index in zip(targets, choice.targets, strict=True):
        for example, value in enumerate(column.tolist()):
            if isinstance(value, list | dict):
                raise DataError(
                    f"{where(example)}: expected a target in column {quoted(names[index])}, got {quoted(value)}"
                )
    return Raw(
        path,
        Table(tuple(map(feature, choice.features)), len(examples)),
        side_by_side(targets),
        tuple(names[index] for index in choice.features),
        join_names([names[index] for index in choice.targets]),
        place=places.__getitem__,
        beside={names[index]: objects(values(index)) for index in choice.beside},
    )
