"""Random adjustment: small random steps from the best weights; the round's lowest loss is accepted, or none is.

The course's second idea, with a ladder of step sizes in every round.
"""

from distsearch.strategies.base import Array, Best, RoundResult, State
from distsearch.strategies.ladder import LadderSettings, LadderStrategy, lowest_of_others, no_worse


class HillClimbSettings(LadderSettings, frozen=True):
    """The settings of hill-climb."""


class HillClimb(LadderStrategy[HillClimbSettings, State]):
    """Candidates are the best weights plus σ·2^j·z; the lowest-loss one is accepted if it beats them."""

    name = "hill-climb"
    summary = "small random steps from the best weights, accepted or reverted"
    when = "small networks, losses without a slope, and first experiments"
    Settings = HillClimbSettings

    def init(self, weights: Array, seed: int) -> State:
        """The state before the first round."""
        return State.before_any_round(weights, seed, self.settings.sigma)

    def advance(self, state: State, result: RoundResult, best: Best) -> State:
        """Accept the lowest loss of the others if it is no worse than the center's, or revert.

        Losses that count errors (0–1 error) are piecewise constant, and standing still there leads nowhere.
        """
        losses, lowest = result.losses, lowest_of_others(result)
        better = no_worse(float(losses[lowest]), float(losses[0]))
        center = self.accepted(state, lowest, best) if better else state.center
        return State(state.seed, state.round + 1, center, self.adapted(state.sigma, losses), best)
