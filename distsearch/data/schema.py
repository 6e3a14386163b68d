"""The schema of the training data (columns, labels and scale), by which further data is read."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import msgspec

from distsearch.data.labels import TEXT, is_type
from distsearch.data.preparation import CATEGORY, Encoding
from distsearch.data.raw import Selection, quoted, unnamed
from distsearch.errors import DataError


@dataclass(frozen=True)
class Schema:
    """Everything needed to read further data the way the training data was read."""

    features: tuple[str, ...]  # column names, or those from `unnamed`
    target: str  # the target column's name; empty if it has none
    classes: tuple[str, ...] | None  # the labels as text, in class-number order; None if the targets are numbers
    outputs: int  # number of classes, or of target columns for regression
    mean: tuple[float, ...] | None  # of the training features, if they were standardised
    deviation: tuple[float, ...] | None
    label_type: str = TEXT  # see `labels`
    flat: bool = True  # targets came as (examples,), not as (examples, 1)
    shape: tuple[int, int, int] | None = None  # height, width and channels, if the examples are images
    step: float | None = None  # the power of two that features are rounded to whole numbers of, if they are
    steps: int | None = None  # that the largest training feature is at most, a power of two
    weight: str = ""  # the name of the column of weights; empty if there is none
    class_weights: tuple[float, ...] | None = None  # in class-number order, if classes are weighted
    columns: tuple[Encoding, ...] | None = None  # how features become inputs; None if they are the inputs
    target_mean: tuple[float, ...] | None = None  # of the training targets, if they were standardised
    target_deviation: tuple[float, ...] | None = None
    targets: tuple[str, ...] | None = None  # names of the target columns if there are several
    decimal: str = "."  # the decimal mark of its text
    commas: tuple[str, ...] | None = None  # columns of text where it is a comma, though it is a point in others
    ignored: tuple[str, ...] | None = None  # columns that were there and not learnt from
    groups: tuple[str, ...] | None = None  # columns that say which group an example is in, for constraints and metrics
    costs: tuple[str, ...] | None = None  # columns that say what predicting each class costs, in class-number order

    def to_json(self) -> dict[str, Any]:
        """The schema as a JSON document; `from_json` reverses it."""
        document = {field.name: getattr(self, field.name) for field in fields(self)}
        built = msgspec.to_builtins(document)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in built.items()}

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the network's inputs."""
        if self.columns is None:
            return self.features
        named = zip(self.features, self.columns, strict=True)
        return tuple(each for name, encoding in named for each in encoding.inputs(name))

    @property
    def texts(self) -> frozenset[str]:
        """The features that are text whatever is in them."""
        if self.columns is None:
            return frozenset()
        named = zip(self.features, self.columns, strict=True)
        return frozenset(name for name, encoding in named if encoding.kind == CATEGORY)

    def selection(self, columns: tuple[str, ...]) -> Selection:
        """These columns of a file, spelt as those of the training data were, or pictures of as many channels."""
        channels = None if self.shape is None else self.shape[2]
        return Selection(
            columns,
            decimal=self.decimal,
            commas=frozenset(self.commas or ()),
            texts=self.texts,
            channels=channels if channels in (1, 3) else None,
        )

    @property
    def beside(self) -> tuple[str, ...]:
        """The columns, beside features and targets, that labelled examples are judged by."""
        return (*(self.groups or ()), *(self.costs or ()))

    @property
    def outputs_named(self) -> tuple[str, ...]:
        """The names of the targets of a regression, or y0, y1, … where they have none."""
        if self.targets is not None:
            return self.targets
        unnamed_targets = tuple(f"y{number}" for number in range(self.outputs))
        return (self.target,) if self.target and self.outputs == 1 else unnamed_targets

    def loss_unit(self, degree: int | None) -> float:
        """What a loss of standardised targets is multiplied by to be in the target's own units.

        degree: the power of the target's unit that the loss is in. Of several targets each is measured in its own
        deviation, which leaves the loss without a unit.
        """
        if self.target_deviation is None or len(self.target_deviation) > 1 or degree is None:
            return 1.0
        return float(self.target_deviation[0] ** degree)

    @property
    def named(self) -> bool:
        """Whether the source had names for its features."""
        return self.features != unnamed(len(self.features))

    @property
    def feature_bits(self) -> int | None:
        """Training features are whole numbers, up to 2^bits, of a power of two that divides 1; None if not rounded."""
        if self.step is None or self.steps is None:
            return None
        return math.frexp(max(self.step * self.steps, 1.0) / min(self.step, 1.0))[1] - 1

    @property
    def learnt(self) -> dict[str, Any]:
        """The fields that affect training: all except those for returning predictions."""
        return {name: value for name, value in self.to_json().items() if name not in _NOT_IN_FORMAT_1}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Schema":
        """The schema from a document written by `to_json`, also in format 1. Raises DataError if it is invalid."""
        names = [field.name for field in fields(cls)]
        if not isinstance(document, Mapping) or {*_NOT_IN_FORMAT_1, *document} != set(names):
            came = ", ".join(map(str, document)) if isinstance(document, Mapping) else quoted(document)
            raise DataError(f"data schema: expected the fields {', '.join(names)}, got {came or 'none'}")
        document = {**_NOT_IN_FORMAT_1, **document}
        for name, (expected, fits) in _FORMS.items():
            if not fits(document[name]):
                raise DataError(f"data schema: expected {name} to be {expected}, got {quoted(document[name])}")
        parts: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in document.items()
        }
        columns = parts["columns"]
        schema = cls(**{**parts, "columns": None if columns is None else msgspec.convert(columns, _Encodings)})
        _check_length("column", schema.features, schema.columns)
        for mean, deviation, what, named in (
            (schema.mean, schema.deviation, "feature", schema.inputs),
            (schema.target_mean, schema.target_deviation, "target", schema.outputs_named),
        ):
            lengths = {len(part) for part in (mean, deviation) if part is not None}
            if lengths - {len(named)} or (mean is None) != (deviation is None):
                raise DataError(
                    f"data schema: expected a mean and a deviation for each of {len(named)} {what}s, "
                    "or for none; the schema is damaged, train again"
                )
        if schema.targets is not None and schema.outputs != len(schema.targets):
            raise DataError("data schema: expected a name for each target; the schema is damaged, train again")
        if schema.classes is not None and schema.outputs != len(schema.classes):
            raise DataError(
                f"data schema: expected an output for each of {len(schema.classes)} classes, "
                f"got {schema.outputs}; the schema is damaged, train again"
            )
        if schema.costs is not None and len(schema.costs) != len(schema.classes or ()):
            raise DataError(
                f"data schema: expected a column of costs for each of {len(schema.classes or ())} classes, "
                f"got {len(schema.costs)}; the schema is damaged, train again"
            )
        if schema.class_weights is not None and len(schema.class_weights) != len(schema.classes or ()):
            raise DataError(
                f"data schema: expected a weight for each of {len(schema.classes or ())} classes, "
                f"got {len(schema.class_weights)}; the schema is damaged, train again"
            )
        return schema


_NOT_IN_FORMAT_1: dict[str, Any] = {
    "label_type": TEXT,
    "flat": True,
    "shape": None,
    "step": None,
    "steps": None,
    "weight": "",
    "class_weights": None,
    "columns": None,
    "target_mean": None,
    "target_deviation": None,
    "targets": None,
    "decimal": ".",
    "commas": None,
    "ignored": None,
    "groups": None,
    "costs": None,
}
FIRST_IN_FORMAT_3 = "columns"  # a document without it was written before tables were prepared

_Encodings = tuple[Encoding, ...]


def _check_length(what: str, names: tuple[str, ...], parts: tuple[Any, ...] | None) -> None:
    if parts is not None and len(parts) != len(names):
        raise DataError(
            f"data schema: expected a {what} for each of {len(names)} features, got {len(parts)}; "
            "the schema is damaged, train again"
        )


def _are_encodings(value: object) -> bool:
    try:
        return all(each.is_whole() for each in msgspec.convert(value, _Encodings))
    except msgspec.ValidationError:
        return False


def _is_shape(value: object) -> bool:
    """Whether the value is a height, a width and a number of channels."""
    if not isinstance(value, list | tuple) or len(value) != 3:
        return False
    return all(type(part) is int and part > 0 for part in value)


def _texts(value: object, least: int) -> bool:
    if not isinstance(value, list | tuple) or not all(isinstance(text, str) for text in value):
        return False
    return least <= len(value) == len(set(value))


def _floats(value: object) -> bool:
    """Whether the value is a list of finite numbers."""
    if not isinstance(value, list | tuple) or any(isinstance(part, bool | str) for part in value):
        return False
    try:
        return all(math.isfinite(part) for part in value)
    except (TypeError, OverflowError):
        return False


_FORMS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "features": ("a list of distinct names", lambda value: _texts(value, 1)),
    "target": ("a name", lambda value: isinstance(value, str)),
    "classes": (
        "a list of at least 2 distinct labels, or null",
        lambda value: value is None or _texts(value, 2),
    ),
    "label_type": ("a label type", lambda value: isinstance(value, str) and is_type(value)),
    "flat": ("true or false", lambda value: isinstance(value, bool)),
    "shape": ("a height, a width and channels, or null", lambda value: value is None or _is_shape(value)),
    "step": ("a number above 0, or null", lambda value: value is None or (_floats([value]) and value > 0)),
    "steps": (
        "a power of two, or null",
        lambda value: value is None or (type(value) is int and value > 0 and value.bit_count() == 1),
    ),
    "weight": ("a name", lambda value: isinstance(value, str)),
    "class_weights": (
        "a list of numbers above 0, or null",
        lambda value: value is None or (_floats(value) and min(value, default=0) > 0),
    ),
    "columns": ("a list of encodings, or null", lambda value: value is None or _are_encodings(value)),
    "target_mean": ("a list of numbers, or null", lambda value: value is None or _floats(value)),
    "target_deviation": (
        "a list of numbers above 0, or null",
        lambda value: value is None or (_floats(value) and min(value, default=0) > 0),
    ),
    "targets": ("a list of distinct names, or null", lambda value: value is None or _texts(value, 2)),
    "decimal": ("a point or a comma", lambda value: value in (".", ",")),
    "commas": ("a list of distinct names, or null", lambda value: value is None or _texts(value, 1)),
    "ignored": ("a list of distinct names, or null", lambda value: value is None or _texts(value, 1)),
    "groups": ("a list of distinct names, or null", lambda value: value is None or _texts(value, 1)),
    "costs": ("a list of distinct names, or null", lambda value: value is None or _texts(value, 2)),
    "outputs": ("a whole number above 0", lambda value: type(value) is int and value > 0),
    "mean": ("a list of numbers, or null", lambda value: value is None or _floats(value)),
    "deviation": (
        "a list of numbers above 0, or null",
        lambda value: value is None or (_floats(value) and min(value, default=0) > 0),
    ),
}
