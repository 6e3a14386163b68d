"""What a user asks to be made of a source of data."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

from distsearch.data import preparation
from distsearch.data.raw import Selection


class Asked(TypedDict, total=False):
    """The fields of `Reading`, of which `numbers` is needed."""

    numbers: bool | None
    target: str
    weight: str
    class_weight: Sequence[str]
    features: tuple[str, ...]
    drop: tuple[str, ...]
    id: tuple[str, ...]
    missing: str
    dates: str
    scale: bool | None
    degree: int | None
    test_share: float
    validation_share: float | None
    counted: bool
    group: str
    time: str
    fold: tuple[int, int] | None
    groups: tuple[str, ...]
    costs: tuple[str, ...]
    seed: int
    shape: Sequence[int] | None
    input_bits: int | None


@dataclass(frozen=True)
class Reading:
    """What is to be made of a source."""

    numbers: bool | None  # whether the targets are numbers (regression); None: that is seen from them
    target: str = ""  # a table's target column, or several with commas between; its last if empty
    weight: str = ""  # a table's column that says how much each example counts
    class_weight: Sequence[str] = ()  # balanced, or label:weight for some of the labels
    features: tuple[str, ...] = ()  # columns to learn from; if empty, all that are nothing else
    drop: tuple[str, ...] = ()  # columns to leave out
    id: tuple[str, ...] = ()  # columns to leave out that predictions are shown with
    missing: str = preparation.IMPUTE
    dates: str = ""  # days or parts; if empty, dates are refused
    scale: bool | None = False  # standardise; None: where values are far from unit size
    degree: int | None = 2  # the power of the targets' unit that the loss is in; None: targets stay as they are
    test_share: float = 0.0
    validation_share: float | None = 0.0
    counted: bool = False  # whether errors are counted, by which few examples cannot choose
    group: str = ""  # a column: examples that are alike in it stay in one part
    time: str = ""  # a column: the last examples are tested on
    fold: tuple[int, int] | None = None  # of a cross-validation: its number, and how many there are
    groups: tuple[str, ...] = ()  # columns of groups that constraints and metrics look at
    costs: tuple[str, ...] = ()  # columns that say what predicting each class costs
    seed: int = 0  # of the split
    shape: Sequence[int] | None = None  # height, width and channels of images, if the source does not say
    input_bits: int | None = None  # round features to 2^bits steps between zero and the largest of them

    @property
    def beside(self) -> tuple[str, ...]:
        """Columns that are read but not learnt from."""
        return tuple(dict.fromkeys(filter(None, (*self.id, self.group, self.time, *self.groups, *self.costs))))

    @property
    def named(self) -> tuple[str, ...]:
        """All columns that are named, except the target."""
        return (*self.features, *self.drop, *self.beside)

    def selection(self, *, targets: bool = True) -> Selection:
        """What to read."""
        weight = (self.weight,) if self.weight else ()
        features = (*self.features, *weight) if self.features else None
        return Selection(features, self.target, targets, self.drop, self.beside)
