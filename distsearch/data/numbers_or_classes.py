"""Decides whether targets are learnt as numbers or as classes, where nobody says it."""

import numpy as np

from distsearch.data.raw import Raw, quoted
from distsearch.data.spelling import is_missing
from distsearch.data.targets import Labels, are_measured, column_of_target
from distsearch.errors import DataError

FEWEST_NUMBERS = 10  # for each label that is text: then the text is a stray among numbers


def are_numbers(raw: Raw) -> tuple[bool, tuple[str, ...]]:
    """Whether the targets are to be learnt as numbers, and a sentence on it if they are."""
    shape = np.asarray(raw.targets).shape
    if raw.labels or raw.targets is None:
        return False, ()
    if len(shape) == 2 and shape[1] > 1:
        return True, (f"{raw.source}: {shape[1]} targets are learnt as numbers (mean squared error)",)
    labels = Labels.of(raw)
    spelt = [raw.spelling_of(raw.target).target(text) for text in labels.texts if not is_missing(text)]
    numbers = [number for number in spelt if number is not None]
    if not numbers:
        _refuse_amounts(raw, labels)
    if not are_measured(numbers, len(labels.which)):
        return False, ()
    if strays := len(spelt) - len(numbers):
        _refuse_strays(raw, labels, strays, len(numbers))
        return False, ()
    return True, (
        f"{raw.source}: the target {quoted(column_of_target(raw))} has {len(numbers):,} different numbers, which are "
        "learnt as numbers (mean squared error); write classes as text, such as c1",
    )


def _refuse_amounts(raw: Raw, labels: Labels) -> None:
    """DataError if the labels are as many different numbers as are measured, all with one unit: they are no classes."""
    amounts = [raw.spelling_of(raw.target).with_unit(text) for text in labels.texts if not is_missing(text)]
    found = [amount for amount in amounts if amount is not None]
    if len(found) < len(amounts) or len({unit for _, unit in found}) != 1:
        return
    if are_measured([number for number, _ in found], len(labels.which)):
        raise DataError(
            f"{raw.source}: expected numbers or classes in target {quoted(column_of_target(raw))}, got amounts such as "
            f"{quoted(labels.texts[0])}: write them without {quoted(found[0][1])}, or to learn classes add --loss "
            "cross-entropy"
        )


def _refuse_strays(raw: Raw, labels: Labels, strays: int, numbers: int) -> None:
    """DataError if so few different labels are text among so many numbers that these are hardly classes."""
    if strays * FEWEST_NUMBERS > numbers:
        return
    spelling = raw.spelling_of(raw.target)
    stray = next(
        index for index, text in enumerate(labels.texts) if not is_missing(text) and spelling.target(text) is None
    )
    example = int(np.argmax(labels.which == stray))
    raise DataError(
        f"{raw.source}, {raw.place(example)}: expected a number in target {quoted(column_of_target(raw))}, as nearly "
        f"all are, got {quoted(labels.texts[stray])}: fix it or remove the row, or to learn classes add --loss "
        "cross-entropy"
    )
