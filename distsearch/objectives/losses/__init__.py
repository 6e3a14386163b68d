"""The registry of losses: each family is a file in this folder, each loss a line here."""

from collections.abc import Sequence
from inspect import isabstract
from typing import Any

from msgspec import structs
from numpy.typing import NDArray

from distsearch.config.sections import NetworkConfig
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
from distsearch.objectives.losses.of_modules import ModuleLoss, takes_module
from distsearch.objectives.losses.own import ForgottenLoss, OwnLoss
from distsearch.objectives.losses.ranks import Auc, AveragePrecision
from distsearch.objectives.losses.regression import (
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanSquaredError,
    Pinball,
    Poisson,
)
from distsearch.objectives.losses.terms import cost_columns
from distsearch.registry import Registry
from distsearch.settings import AUTO

__all__ = [
    "LOSSES",
    "CrossEntropy",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "ModuleLoss",
    "Terms",
    "correct",
    "cost_columns",
    "create",
    "hits",
    "takes_module",
]


def _is_loss(found: Any) -> bool:
    if isinstance(found, type):
        return issubclass(found, Loss) and not isabstract(found)
    return callable(found)


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
_ALSO_CALLED = {
    **dict.fromkeys(("ce", "bce", "log-loss", "nll", "negative-log-likelihood"), "cross-entropy"),
    **dict.fromkeys(
        (f"{kind}-cross-entropy" for kind in ("binary", "categorical", "sparse-categorical")), "cross-entropy"
    ),
    **dict.fromkeys(("mse", "squared-error", "l2"), "mean-squared-error"),
    **dict.fromkeys(("mae", "absolute-error", "l1"), "mean-absolute-error"),
    **dict.fromkeys(("0-1", "zero-one", "error"), "classification-error"),
    "quantile": "pinball",
    **dict.fromkeys(("roc-auc", "roc-auc-score"), "auc"),
}
LOSSES: Registry[Any] = Registry(
    "loss",
    "losses",
    _OURS,
    _is_loss,
    "a subclass of distsearch.objectives.losses.Loss, or a function of outputs and targets",
    _ALSO_CALLED,
    {
        **dict.fromkeys(
            ("rmse", "root-mean-squared-error"), "choose mean-squared-error, which is lowest for the same weights"
        ),
        "accuracy": "a loss is made small: choose classification-error, the share of wrong answers",
        "r2": "a loss is made small: choose mean-squared-error, which is smallest where R² is largest",
    },
    apart=[AUTO],
)


def suited(name: str, classes: bool) -> str:
    """The name of the loss, chosen by whether there are classes to be learnt if it was left open."""
    if name != AUTO:
        return name
    return "cross-entropy" if classes else "mean-squared-error"


def create(name: str) -> Loss:
    """The loss of that name, on the terms that it has by default; SettingError if there is none."""
    return _made(name, None)


def _made(name: str, on: Terms | None) -> Loss:
    found = LOSSES.find(name)
    if not isinstance(found, type):
        return ModuleLoss(found, name) if takes_module(found) else OwnLoss(found, name)
    kind: type[Loss] = found
    return kind() if on is None else kind.of(on)


def create_for(settings: NetworkConfig, classes: Sequence[str] | None, outputs: int = 1) -> Loss:
    """The loss that settings ask for, for classes by their labels, or that many numbers.

    SettingError if it does not fit them; ObjectiveError if one of the user's own fails.
    """
    loss = _made(settings.loss, terms.terms_of(settings, classes))
    if not loss.numbers and classes is None:
        raise SettingError(f"--loss: {settings.loss} is for classes, but the targets are numbers: {_of_numbers()}")
    return loss.tried(outputs if classes is None else len(classes)) if isinstance(loss, OwnLoss) else loss


def recalled(settings: NetworkConfig, classes: Sequence[str] | None, outputs: int) -> Loss:
    """The loss of a network that is trained; one that cannot score if its code is not here."""
    try:
        return create_for(settings, classes, outputs)
    except SettingError as error:
        if ":" not in settings.loss:
            raise
        return ForgottenLoss(error)


def is_of_module(name: str) -> bool:
    """Whether a loss is given the torch module itself; not known of one whose code is not here."""
    try:
        return name != AUTO and takes_module(LOSSES.find(name))
    except SettingError:
        return False


def is_probable(given: Any) -> bool:
    """Whether a loss of classes, given by its name or itself, makes outputs estimate their probabilities."""
    try:
        found = LOSSES.find(suited(given, classes=True)) if isinstance(given, str) else given
    except SettingError:
        return False
    return bool(getattr(found, "probable", False))


def check(settings: NetworkConfig) -> None:
    """SettingError for what cannot fit, whatever the data."""
    if settings.loss == AUTO:
        settings = structs.replace(settings, loss="cross-entropy")
    if not settings.model and is_of_module(settings.loss):
        raise SettingError(f"--loss: {settings.loss} takes a torch module: name one with --model")
    terms.check(settings, _kind(settings.loss), _OURS)


def with_costs(settings: NetworkConfig) -> NetworkConfig:
    """The settings with the costs themselves in the place of the file that holds them; columns stay as they are."""
    if settings.costs is None or cost_columns(settings):
        return settings
    return structs.replace(settings, costs=terms.costs_text(settings.costs))


def chosen(settings: NetworkConfig, classes: Sequence[str], counts: NDArray[Any]) -> NetworkConfig:
    """The settings with the positive class, where the loss or a constraint looks at one of two and it is left open.

    counts, (classes,), are the training examples of each.
    """
    takes = "positive" in _kind(settings.loss).takes or settings.subject_to
    if len(classes) != 2 or settings.positive is not None or not takes:
        return settings
    return structs.replace(settings, positive=terms.positive_class(classes, counts))


def _kind(name: str) -> type[Loss]:
    found = LOSSES.find(name)
    return found if isinstance(found, type) else OwnLoss


def _of_numbers() -> str:
    names = [name for name, kind in _OURS.items() if kind.numbers]
    return f"choose {', '.join(names[:-1])} or {names[-1]}"
