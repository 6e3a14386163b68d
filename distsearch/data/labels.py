"""Converts labels to text, and text back to labels of the original type.

A data set's classes are stored as text, alongside one word for the type of its labels. For NumPy arrays of text,
bytes, booleans and numbers it is NumPy's own type string, such as <U5, |b1 or <i8; for arrays of Python objects it is
one of the three below.
"""

import ast
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

TEXT, BYTES, OBJECTS = "text", "bytes", "objects"  # objects: numbers and booleans, whose repr Python can read back

_WRITTEN = "biufUS"  # NumPy kinds whose every value has a text form
_TEXTS = np.dtype("T")  # strings of any length; its dtype.str depends on the machine

_READ: dict[str, Callable[[str], Any]] = {TEXT: str, BYTES: str.encode, OBJECTS: ast.literal_eval}

Label = str | bytes | int | float | np.generic


def type_of(labels: NDArray[Any], different: Iterable[Label]) -> str | None:
    """The word for the labels' type, given the distinct ones among them; None if their types are mixed."""
    if labels.dtype.kind in _WRITTEN:
        return labels.dtype.str
    if labels.dtype == _TEXTS:
        return _TEXTS.char
    kinds = {TEXT if isinstance(label, str) else BYTES if isinstance(label, bytes) else OBJECTS for label in different}
    return kinds.pop() if len(kinds) == 1 else None


def is_type(word: str) -> bool:
    """Whether `type_of` could have returned this word."""
    if word in (TEXT, BYTES, OBJECTS):
        return True
    try:
        dtype = np.dtype(word)
    except TypeError:
        return False
    return dtype == _TEXTS or dtype.kind in _WRITTEN


def text_of(label: Label, word: str) -> str:
    """The text of a label of this type. UnicodeDecodeError for bytes that are not UTF-8."""
    if isinstance(label, bytes):
        return label.decode()
    if isinstance(label, str):
        return str(label)
    if word == OBJECTS:
        return repr(label.item() if isinstance(label, np.generic) else label)
    whole = isinstance(label, float | np.floating) and math.isfinite(label) and label == int(label)
    return str(int(label)) if whole else str(label)  # str(float32(0.1)) is "0.1"; converted to float first, it is not


def word_of(label: Any) -> str:
    """The text of a label that a Python user names, whatever its type."""
    try:
        return text_of(label, TEXT)
    except UnicodeDecodeError:
        return str(label)


def labels_of(texts: Sequence[str], word: str) -> NDArray[Any]:
    """The labels of this type, (texts,), from the texts that `text_of` made."""
    if word in (TEXT, BYTES, OBJECTS):
        labels = np.empty(len(texts), object)
        labels[:] = [_READ[word](text) for text in texts]
        return labels
    dtype = np.dtype(word)
    if dtype.kind == "S":
        return np.array([text.encode() for text in texts], dtype)
    if dtype.kind == "b":
        return np.array([text == str(True) for text in texts], dtype)
    return np.array(texts).astype(dtype)
