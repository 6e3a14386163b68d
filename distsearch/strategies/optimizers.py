"""From an estimated gradient to a step: optimisers that strategies share, as pure functions of their moments."""

import math
from dataclasses import dataclass
from typing import Annotated, TypeVar

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from distsearch.errors import SettingError, unknown
from distsearch.settings import about
from distsearch.strategies.base import StrategySettings
from distsearch.strategies.schedules import SCHEDULES, cosine

Array = NDArray[np.float32]

FIRST_DECAY, SECOND_DECAY, EPSILON = 0.9, 0.999, 1e-8


OPTIMIZERS = ("adam", "momentum")
SMALLEST_SIGMA_SHARE = 0.1  # smaller steps drown in the rounding of the losses

S = TypeVar("S", bound="OptimizerSettings")


class OptimizerSettings(StrategySettings, frozen=True):
    """How estimated gradients become steps."""

    optimizer: Annotated[str, about("adam or momentum")] = "adam"
    rate: Annotated[float, about("learning rate; if not set, by the number of weights", above=0)] | None = None
    schedule: Annotated[
        str,
        about(
            "learning rate: constant, cosine (to nothing over the horizon) or plateau (falls where the loss does not)"
        ),
    ] = "constant"
    sigma_schedule: Annotated[str, about("step size: constant, cosine or plateau as well, down to a tenth at most")] = (
        "constant"
    )
    horizon: (
        Annotated[int, about("rounds of the cosine; as many as there are to be if not set", unit="rounds", at_least=1)]
        | None
    ) = None
    plateau_rounds: Annotated[
        int, about("rounds without a lower loss of the center that make a plateau", unit="rounds", at_least=1)
    ] = 100
    plateau_factor: Annotated[float, about("what a plateau leaves of the rate or the step size", above=0, below=1)] = (
        0.5
    )
    decay: Annotated[float, about("share of the learning rate by which weights shrink each round", at_least=0)] = 0.0

    @property
    def schedules(self) -> tuple[str, str]:
        """That of the learning rate and that of the step size."""
        return self.schedule, self.sigma_schedule

    def resolved_for(self: S, default_rate: float, rounds: int | None) -> S:
        """The settings with rate and horizon chosen. SettingError for what is unknown."""
        for word, value, known in (
            ("optimizer", self.optimizer, OPTIMIZERS),
            ("schedule", self.schedule, SCHEDULES),
            ("sigma schedule", self.sigma_schedule, SCHEDULES),
        ):
            if value not in known:
                raise SettingError(unknown(word, value, known))
        rate = self.rate if self.rate is not None else default_rate
        horizon = self.horizon if self.horizon is not None else rounds
        if "cosine" in self.schedules and horizon is None:
            raise SettingError(
                "a cosine has to know how many rounds there are to be: give --rounds or --horizon, or take the "
                "schedule plateau (seconds do not tell: the same seed would not give the same weights again)"
            )
        return replace(self, rate=rate, horizon=horizon)

    def share(self, schedule: str, round_number: int, plateaus: int) -> float:
        """What such a schedule leaves in a round, after so many plateaus, from 1 down; settings are resolved."""
        if schedule == "cosine":
            return cosine(round_number, self.horizon or 1)
        return self.plateau_factor**plateaus if schedule == "plateau" else 1.0


@dataclass(frozen=True, slots=True)
class Moments:
    """Running means of the gradient and of its square, each (n,)."""

    first: Array
    second: Array

    @classmethod
    def zero(cls, weights_count: int) -> "Moments":
        """Before the first gradient."""
        nothing = np.zeros(weights_count, np.float32)
        nothing.flags.writeable = False
        return cls(nothing, nothing)


def rate_of(settings: OptimizerSettings, round_number: int, plateaus: int = 0) -> float:
    """The learning rate of a round after so many plateaus; settings are resolved."""
    return (settings.rate or 0.0) * settings.share(settings.schedule, round_number, plateaus)


def sigma_of(settings: OptimizerSettings, round_number: int, plateaus: int = 0) -> float:
    """The step size of a round after so many plateaus; settings are resolved."""
    share = settings.share(settings.sigma_schedule, round_number, plateaus)
    return settings.sigma * max(share, SMALLEST_SIGMA_SHARE)


def step(
    settings: OptimizerSettings,
    moments: Moments,
    weights: Array,
    gradient: Array,
    round_number: int,
    plateaus: int = 0,
) -> tuple[Array, Moments]:
    """The next weights, (n,), and moments, from this round's gradient of the loss, (n,); all read-only.

    Adam (Kingma and Ba 2015, arXiv 1412.6980, algorithm 1) or heavy-ball momentum, with decoupled weight decay
    (Loshchilov and Hutter 2019, arXiv 1711.05101).
    """
    rate, count = rate_of(settings, round_number, plateaus), round_number + 1
    first = np.multiply(moments.first, np.float32(FIRST_DECAY))
    first += np.float32(1 - FIRST_DECAY) * gradient
    change, second = first, moments.second
    if settings.optimizer == "adam":
        second = np.multiply(moments.second, np.float32(SECOND_DECAY))
        second += np.float32(1 - SECOND_DECAY) * np.square(gradient)
        root = np.sqrt(second)
        root *= np.float32(1 / math.sqrt(1 - SECOND_DECAY**count))
        root += np.float32(EPSILON)
        change = np.divide(first, root, out=root)
        change *= np.float32(rate / (1 - FIRST_DECAY**count))
    else:
        change = first * np.float32(rate)
    if settings.decay:
        change += np.float32(rate * settings.decay) * weights
    following = np.subtract(weights, change, out=change)
    for array in (following, first, second):
        array.flags.writeable = False
    return following, Moments(first, second)
