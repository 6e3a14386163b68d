"""Following an estimated gradient: an optimiser, and schedules for its learning rate and step size."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, TypeVar

import numpy as np
from msgspec import structs

from distsearch.errors import SettingError, unknown
from distsearch.settings import Settings, about
from distsearch.strategies.base import NOTHING, Array, Best, State, decided
from distsearch.strategies.optimizers import OPTIMIZERS, Moments
from distsearch.strategies.ranges import in_ranges
from distsearch.strategies.schedules import SCHEDULES, AtPlateaus, Constant, Cosine, Plateau, Schedule

SMALLEST_SIGMA_SHARE = 0.1  # the effect of smaller steps drowns in the losses' rounding
PLATEAU_ROUNDS, PLATEAU_ROUNDS_OF_DECAY = 100, 2500
MOST_GROWTHS = 12  # of the decay: nine times as much, if each is by a fifth


class DescentSettings(Settings, frozen=True):
    """How estimated gradients become steps."""

    optimizer: Annotated[str, about("adam or momentum")] = "adam"
    rate: Annotated[float, about("learning rate; if not set, by the number of weights", above=0)] | None = None
    schedule: Annotated[
        str,
        about(
            "learning rate: constant, cosine (to zero at the horizon) or plateau (falls when the loss stops falling)"
        ),
    ] = "constant"
    sigma_schedule: Annotated[str, about("step size: constant, cosine or plateau, down to a tenth at most")] = (
        "constant"
    )
    horizon: (
        Annotated[int, about("length of the cosine; if not set, the planned rounds", unit="rounds", at_least=1)] | None
    ) = None
    plateau_rounds: (
        Annotated[
            int,
            about(
                "rounds without a lower center loss that count as a plateau; if not set, 100, or 2,500 if it is only "
                "the decay that grows with them",
                unit="rounds",
                at_least=1,
            ),
        ]
        | None
    ) = None
    plateau_factor: Annotated[
        float, about("factor applied to the rate or the step size at each plateau", above=0, below=1)
    ] = 0.5
    decay: (
        Annotated[
            float,
            about(
                "weight decay per round, as a share of the learning rate; if not set, 0, or 0.03 for node-perturbation "
                "with minibatches (for regression 100 / rows at most; for classes up to 0.1 with a validation share)",
                at_least=0,
            ),
        ]
        | None
    ) = None
    decay_growth: (
        Annotated[
            float,
            about(
                "factor applied to the decay at each plateau, twelve times at most; if not set, 1, or 1.2 for "
                "node-perturbation where a validation share chooses the best and the decay is not set",
                at_least=1,
            ),
        ]
        | None
    ) = None


D = TypeVar("D", bound=DescentSettings)


def resolve(settings: D, rate: float, rounds: int | None, decay: float = 0.0, growth: float = 1.0) -> D:
    """The settings, with what is needed and left open chosen; a decay that is given does not grow by itself.

    Raises SettingError for unknown names.
    """
    for word, value, known in (
        ("optimizer", settings.optimizer, OPTIMIZERS),
        ("schedule", settings.schedule, SCHEDULES),
        ("sigma schedule", settings.sigma_schedule, SCHEDULES),
    ):
        if value not in known:
            raise SettingError(unknown(word, value, known))
    horizon = settings.horizon if settings.horizon is not None else rounds
    if "cosine" in (settings.schedule, settings.sigma_schedule) and horizon is None:
        raise SettingError(
            "a cosine schedule needs to know the number of rounds: give --rounds or --horizon, or use the schedule "
            "plateau (with --seconds alone, the same seed would not reproduce the same weights)"
        )
    chosen = {"rate": rate, "decay": decay}
    if growth > 1 and settings.decay is None:
        chosen["decay_growth"] = growth
    if "plateau" in (settings.schedule, settings.sigma_schedule):
        chosen["plateau_rounds"] = PLATEAU_ROUNDS
    elif chosen.get("decay_growth", settings.decay_growth):
        chosen["plateau_rounds"] = PLATEAU_ROUNDS_OF_DECAY
    left_open = {name: value for name, value in chosen.items() if getattr(settings, name) is None}
    return structs.replace(settings, horizon=horizon, **left_open)


@dataclass(frozen=True, slots=True)
class DescentState(State):
    """The center, its optimiser's moments, and how long its loss has not fallen."""

    moments: Moments
    plateau: Plateau


T = TypeVar("T", bound=DescentState)


class Descent:
    """Follows gradients, by resolved settings; sigma is the initial step size.

    Its rounds are local ones, of which each round of the search has `local_rounds`.
    """

    def __init__(self, settings: DescentSettings, sigma: float, local_rounds: int = 1) -> None:
        self._local_rounds = local_rounds
        if settings.horizon is not None:
            settings = structs.replace(settings, horizon=settings.horizon * local_rounds)
        self._optimizer = OPTIMIZERS[settings.optimizer]
        self._rate = decided(settings.rate)
        self._sigma = sigma
        self._decay = decided(settings.decay)
        self._schedules = _schedule(settings.schedule, settings), _schedule(settings.sigma_schedule, settings)
        self._growth = settings.decay_growth or 1.0
        self._plateau_rounds = settings.plateau_rounds  # None: nothing depends on plateaus

    def rate(self, round_number: int, plateaus: int = 0) -> float:
        """The learning rate of a round after this many plateaus."""
        return self._rate * self._schedules[0].share(round_number, plateaus)

    def sigma(self, round_number: int, plateaus: int = 0) -> float:
        """The step size of a round after this many plateaus."""
        return self._sigma * max(self._schedules[1].share(round_number, plateaus), SMALLEST_SIGMA_SHARE)

    def decay(self, plateaus: int = 0) -> float:
        """The weight decay after this many plateaus."""
        return self._decay * self._growth ** min(plateaus, MOST_GROWTHS)

    def step(self, state: T, gradient_of: Callable[[slice], Array], best: Best) -> T:
        """The next round's state: a step against the gradient of the loss, with decoupled weight decay.

        gradient_of gives a range of the gradient, (n,): one range at a time, so that all that it needs fits the cache.
        Loshchilov and Hutter 2019, arXiv 1711.05101.
        """
        rate = self.rate(state.round, state.plateau.count)
        decay = self.decay(state.plateau.count)
        center, moments = np.empty_like(state.center), Moments.empty(state.center.size)

        def take(some: slice) -> None:
            before = state.moments.within(some)
            change = self._optimizer.change(before, gradient_of(some), rate, state.round + 1, moments.within(some))
            if decay:
                change += np.float32(rate * decay) * state.center[some]
            np.subtract(state.center[some], change, out=center[some])

        in_ranges(center.size, take)
        for array in (center, moments.first, moments.second):
            array.flags.writeable = False
        sigma = self.sigma(state.round + 1, state.plateau.count)
        return replace(state, round=state.round + 1, center=center, sigma=sigma, best=best, moments=moments)

    def after(self, state: T, loss: float) -> T:
        """The state once the loss of its center is known, which may complete a plateau."""
        if self._plateau_rounds is None:
            return state
        return replace(state, plateau=state.plateau.after(loss, state.round, self._plateau_rounds))

    def measured(self, state: T, loss: float) -> T:
        """Like `after`, for a loss measured between two rounds; also updates the next step size."""
        after = self.after(state, loss)
        if after.plateau.count == state.plateau.count:
            return after
        return replace(after, sigma=self.sigma(after.round * self._local_rounds, after.plateau.count))


def outgoing(state: T) -> T:
    """The state without the moments, which workers do not need."""
    return replace(state, moments=Moments(NOTHING, NOTHING))


def _schedule(name: str, settings: DescentSettings) -> Schedule:
    match name:
        case "cosine":
            return Cosine(settings.horizon or 1)
        case "plateau":
            return AtPlateaus(settings.plateau_factor)
    return Constant()
