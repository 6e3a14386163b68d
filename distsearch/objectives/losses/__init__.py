"""The registry of losses: each family is a file in this folder, each loss a line here."""

from inspect import isabstract
from typing import Any

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


def create(name: str, terms: Terms | None = None) -> Loss:
    """The loss of that name on such terms; SettingError if there is none, or if they do not fit."""
    kind = find(name)
    return kind() if terms is None else kind.of(terms)
