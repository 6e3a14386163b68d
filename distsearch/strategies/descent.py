"""What strategies share that estimate a gradient and let an optimiser follow it."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from distsearch.strategies.base import NOTHING, Best, State, Strategy
from distsearch.strategies.optimizers import Moments, sigma_of, step
from distsearch.strategies.schedules import Plateau


@dataclass(frozen=True, slots=True)
class DescentState(State):
    """The center, what its optimiser remembers, and how long its loss has not fallen."""

    moments: Moments
    plateau: Plateau


class Descent(Strategy):
    """A subclass estimates the gradient; its settings are an optimiser's."""

    state_type: ClassVar[type[State]] = DescentState

    def beginning(self, start: NDArray[np.float32]) -> dict[str, Any]:
        """Moments of nothing, and no loss yet."""
        return {"moments": Moments.zero(start.size), "plateau": Plateau()}

    def outgoing(self, state: Any) -> Any:
        """Without the best weights and the moments."""
        return replace(super().outgoing(state), moments=Moments(NOTHING, NOTHING))

    def descended(self, state: Any, gradient: NDArray[np.float32], loss: float, best: Best) -> Any:
        """The next round's state: a step against the gradient, (n,), from a center of that loss."""
        if not self.chosen_by_measuring:
            state = self._after(state, loss)
        plateaus = state.plateau.count
        center, moments = step(self.settings, state.moments, state.center, gradient, state.round, plateaus)
        sigma = sigma_of(self.settings, state.round + 1, plateaus)
        return replace(state, round=state.round + 1, center=center, sigma=sigma, best=best, moments=moments)

    def measured(self, state: Any, loss: float) -> Any:
        """The state once the loss of the proposed weights on all training examples is known.

        On minibatches it alone tells of plateaus: the losses of different rounds do not compare.
        """
        after = self._after(super().measured(state, loss), loss)
        if after.plateau is state.plateau:
            return after
        return replace(after, sigma=sigma_of(self.settings, after.round, after.plateau.count))

    def _after(self, state: Any, loss: float) -> Any:
        """The state with this loss of its center taken into account, where a schedule asks for it."""
        if "plateau" not in self.settings.schedules:
            return state
        return replace(state, plateau=state.plateau.seen(loss, state.round, self.settings.plateau_rounds))
