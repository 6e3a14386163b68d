"""Constraints on a network: metrics that have to reach something, such as recall>=0.9 or gap(group)<=0.02.

They are held to by an augmented Lagrangian (Hestenes 1969, doi 10.1007/BF00927673; Powell 1969): with e how far a
constraint is from holding (below 0 if it holds), each adds (max(0, λ + ρe)² − λ²) / 2ρ to the loss, and its multiplier
becomes max(0, λ + ρe) now and then, from e on all training examples, or on those set aside for validation, so that it
comes to hold there (Cotter et al. 2018, arXiv 1807.00028). Metrics of decisions have no slope: node perturbation is
given what each example does to them instead, see `influence`, while the multipliers follow the metrics themselves
(Cotter et al. 2019, arXiv 1809.04198: the weights see a proxy, the multipliers the constraint).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite, isnan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distsearch.errors import SettingError, brief
from distsearch.objectives import metrics

PENALTY = 4.0  # ρ, in units of the loss that the search begins with
UPDATE_ROUNDS = 10  # between updates of the multipliers, at least
MARGIN = 0.01  # beyond a constraint that is aimed at: one that is approached from outside is never reached
LARGEST_EXCESS = 0.1  # that a multiplier follows at once, so that what is far off at first does not wind it up
SHARES = {*metrics.OF_CLASSES, "share-below"}
"""Metrics between 0 and 1; the correlation between −1 and 1."""
CORRELATION = "matthews-correlation"

Exact = NDArray[np.float64]
Side = str | float
"""A metric by its name, or a number."""

_COMPARISON = re.compile(r"\s*(?P<left>[^<>=≤≥]+?)\s*(?P<sign>>=|<=|≥|≤)\s*(?P<right>[^<>=≤≥]+?)\s*")
_SUCH_AS = "a comparison such as recall>=0.9 or gap(COLUMN)<=0.02"


@dataclass(frozen=True)
class Constraint:
    """`lower` is to be at most `higher`."""

    text: str
    lower: Side
    higher: Side

    @property
    def names(self) -> tuple[str, ...]:
        """The metrics in it."""
        return tuple(side for side in (self.lower, self.higher) if isinstance(side, str))

    @property
    def unit(self) -> float:
        """What its violation is measured in: of an error of numbers, in the number that it is compared with."""
        for name, number in ((self.lower, self.higher), (self.higher, self.lower)):
            plain = isinstance(name, str) and (metrics.METRICS.named(name) in {*SHARES, "r2"} or _is_gap(name))
            if isinstance(number, float) and number and not plain:
                return abs(number)
        return 1.0

    def excess(self, values: Mapping[str, float], prefix: str = "") -> float:
        """How far it is from holding, from the metrics' values, whose names have a prefix; at most 0 if it holds."""
        lower, higher = (
            values[f"{prefix}{side}"] if isinstance(side, str) else side for side in (self.lower, self.higher)
        )
        found = (lower - higher) / self.unit
        return inf if isnan(found) else found


class Checked(NamedTuple):
    """A constraint on some examples."""

    constraint: str
    values: dict[str, float]
    """Of the metrics in it."""
    holds: bool


class Constraints:
    """All constraints of a search."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        """Raises SettingError for what is no comparison with a metric."""
        self.all = tuple(map(parsed, texts))
        self.names = tuple(dict.fromkeys(name for each in self.all for name in each.names))

    def __len__(self) -> int:
        return len(self.all)

    def excesses(self, values: Mapping[str, float], prefix: str = "") -> Exact:
        """How far each is from holding, (constraints,)."""
        return np.array([each.excess(values, prefix) for each in self.all])

    def aims(self, values: Mapping[str, float], prefix: str = "") -> Exact:
        """How far each is from holding with room to spare, (constraints,), which is what the search aims at."""
        return self.excesses(values, prefix) + MARGIN

    def violation(self, values: Mapping[str, float], prefix: str = "") -> float:
        """The largest of the excesses; 0 if all hold."""
        return max(0.0, float(self.excesses(values, prefix).max()))

    def checked(self, values: Mapping[str, float], prefix: str = "") -> list[Checked]:
        """What comes of each."""
        return [
            Checked(
                each.text, {name: values[f"{prefix}{name}"] for name in each.names}, each.excess(values, prefix) <= 0
            )
            for each in self.all
        ]

    def first(self, loss: float) -> Exact:
        """The multipliers that a search begins with once its loss is known, (1 + constraints,): ρ, and zeros."""
        weight = PENALTY * abs(loss)
        return np.array([weight if weight and isfinite(weight) else PENALTY, *([0.0] * len(self.all))])

    def updated(self, multipliers: Exact, values: Mapping[str, float], prefix: str = "") -> Exact:
        """The multipliers once the metrics are known, on all examples that the best weights are chosen by."""
        weight, before = multipliers[0], multipliers[1:]
        excesses = np.clip(self.aims(values, prefix), -LARGEST_EXCESS, LARGEST_EXCESS)
        return np.concatenate([[weight], np.maximum(0.0, before + weight * excesses)])


def pressures(multipliers: Exact, excesses: Exact) -> Exact:
    """The slope of the penalty along each excess, (constraints,): max(0, λ + ρe)."""
    found: Exact = np.maximum(0.0, multipliers[1:] + multipliers[0] * excesses)
    return found


def penalty(multipliers: Exact, excesses: Exact) -> float:
    """What is added to the loss: Σ (max(0, λ + ρe)² − λ²) / 2ρ."""
    squares = np.square(pressures(multipliers, excesses)) - np.square(multipliers[1:])
    return float(squares.sum() / (2 * multipliers[0]))


def parsed(text: str) -> Constraint:
    """A constraint as it is written. SettingError if it is no comparison of a metric that we know."""
    found = _COMPARISON.fullmatch(text)
    if found is None:
        raise SettingError(f"--subject-to: expected {_SUCH_AS}, got {brief(text)}")
    left, right = _side(found["left"]), _side(found["right"])
    if isinstance(left, float) and isinstance(right, float):
        raise SettingError(f"--subject-to: expected a metric in {brief(text)}: {_SUCH_AS}")
    lower, higher = (right, left) if found["sign"] in (">=", "≥") else (left, right)
    for name, number in ((left, right), (right, left)):
        if isinstance(name, str) and isinstance(number, float):
            _check_reach(name, number, text)
    return Constraint(text.strip(), lower, higher)


def names_in(texts: Sequence[str]) -> tuple[str, ...]:
    """The metrics in constraints. Raises SettingError as `parsed` does."""
    return Constraints(texts).names


def _side(text: str) -> Side:
    number = text[:-1] if text.endswith("%") else text
    try:
        found = float(number) / (100 if text.endswith("%") else 1)
    except ValueError:
        try:
            metrics.find(text)
        except SettingError as error:
            raise SettingError(f"--subject-to: {error}") from None
        return text
    if not isfinite(found):
        raise SettingError(f"--subject-to: expected a finite number, got {text}")
    return found


def _check_reach(name: str, number: float, text: str) -> None:
    """SettingError for a number that the metric never comes to."""
    ours = metrics.METRICS.named(name)
    if ours in SHARES or _is_gap(name):
        lowest = -1 if ours == CORRELATION else 0
        if not lowest <= number <= 1:
            raise SettingError(
                f"--subject-to: {name} lies between {lowest} and 1: expected such a number in {brief(text)}, got "
                f"{number:g}"
            )


def _is_gap(name: str) -> bool:
    return metrics.column_in(name) is not None


NONE = Constraints()
