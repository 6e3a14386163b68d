"""The registry of losses: each family is a file in this folder, each loss a line here."""

from collections.abc import Sequence
from inspect import isabstract
from typing import Any

from msgspec import structs
from numpy.typing import NDArray

from distsearch.config import NetworkConfig
from distsearch.errors import SettingError
from distsearch.objectives.losses import terms
from distsearch.objectives.losses.base import Loss, Terms
from distsearch.objectives.losses.classes import (
    ClassificationError,
    CrossEntropy,
    ExpectedCost,
    TopKError,
    correct,
    hits,
)
from distsearch.objectives.losses.counts import F1, BalancedError, F1Macro, F1Micro, FBeta
from distsearch.objectives.losses.ranks import Auc, AveragePrecision
from distsearch.objectives.losses.regression import (
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanSquaredError,
    Pinball,
    Poisson,
)
from distsearch.registry import Registry

__all__ = ["LOSSES", "CrossEntropy", "Loss", "MeanAbsoluteError", "Terms", "correct", "create", "hits"]


def _is_loss(found: Any) -> bool:
    return isinstance(found, type) and issubclass(found, Loss) and not isabstract(found)


_OURS: dict[str, type[Loss]] = {
    "cross-entropy": CrossEntropy,
    "mean-squared-error": MeanSquaredError,
    "mean-absolute-error": MeanAbsoluteError,
    "classification-error": ClassificationError,
    "f1": F1,
    "f1-macro": F1Macro,
    "f1-micro": F1Micro,
    "fbeta": FBeta,
    "balanced-error": BalancedError,
    "auc": Auc,
    "average-precision": AveragePrecision,
    "top-k-error": TopKError,
    "expected-cost": ExpectedCost,
    "log-cosh": LogCosh,
    "huber": Huber,
    "pinball": Pinball,
    "poisson": Poisson,
}
LOSSES: Registry[type[Loss]] = Registry(
    "loss", "losses", _OURS, _is_loss, "a subclass of distsearch.objectives.losses.Loss"
)


def find(name: str) -> type[Loss]:
    """The kind of loss of that name; SettingError if there is none."""
    return LOSSES.find(name)


def create(name: str) -> Loss:
    """The loss of that name, on the terms that it has by default; SettingError if there is none."""
    return find(name)()


def create_for(settings: NetworkConfig, classes: Sequence[str] | None) -> Loss:
    """The loss that settings ask for, for classes by their labels, or numbers (None). SettingError if it cannot be."""
    kind = find(settings.loss)
    if not kind.numbers and classes is None:
        raise SettingError(f"--loss: {settings.loss} is of classes, and the targets are numbers: {_of_numbers()}")
    return kind.of(terms.terms_of(settings, classes))


def check(settings: NetworkConfig) -> None:
    """SettingError for what cannot fit, whatever the data."""
    terms.check(settings, find(settings.loss), _OURS)


def with_costs(settings: NetworkConfig) -> NetworkConfig:
    """The settings with the costs themselves in the place of the file that holds them."""
    return settings if settings.costs is None else structs.replace(settings, costs=terms.costs_text(settings.costs))


def chosen(settings: NetworkConfig, classes: Sequence[str], counts: NDArray[Any]) -> NetworkConfig:
    """The settings with the positive class, where the loss looks at one of two and it is left open.

    counts, (classes,), are the training examples of each.
    """
    if len(classes) != 2 or settings.positive is not None or "positive" not in find(settings.loss).takes:
        return settings
    return structs.replace(settings, positive=terms.positive_class(classes, counts))


def _of_numbers() -> str:
    names = [name for name, kind in _OURS.items() if kind.numbers]
    return f"choose {', '.join(names[:-1])} or {names[-1]}"
