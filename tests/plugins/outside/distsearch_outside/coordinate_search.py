"""Coordinate search: each candidate changes one weight, by a step that shrinks when none is better."""

from dataclasses import replace
from typing import Annotated

import numpy as np

from distsearch.candidates.base import Dense
from distsearch.settings import about
from distsearch.strategies.base import Best, RoundResult, State, frozen
from distsearch.strategies.population import PopulationSettings, PopulationStrategy


class CoordinateSearchSettings(PopulationSettings, frozen=True):
    """The settings of coordinate-search."""

    shrink: Annotated[float, about("what is left of the step after a round in vain", above=0, below=1)] = 0.7


class CoordinateSearch(PopulationStrategy[CoordinateSearchSettings, State]):
    """Candidate 2k + 1 adds the step to the round's k-th weight in turn, candidate 2k + 2 subtracts it."""

    name = "coordinate-search"
    summary = "one weight at a time, up and down"
    Settings = CoordinateSearchSettings

    def init(self, weights: np.ndarray, seed: int) -> State:
        """The state before the first round."""
        start = frozen(weights)
        return State(seed, 0, start, self.settings.sigma, Best.unknown(start))

    def units(self, state: State) -> int:
        """The center and a pair for as many weights as there is room for."""
        return 1 + 2 * min(self.settings.population // 2, state.center.size)

    def ask(self, state: State, lo: int, hi: int) -> Dense:
        """The center, and the center with one weight moved."""
        weights = np.repeat(state.center[np.newaxis], hi - lo, axis=0)
        pairs = self.settings.population // 2
        for row, index in enumerate(range(lo, hi)):
            if index:
                place = (state.round * pairs + (index - 1) // 2) % state.center.size
                weights[row, place] += np.float32(state.sigma if index % 2 else -state.sigma)
        return Dense(weights)

    def advance(self, state: State, result: RoundResult, best: Best) -> State:
        """Keep the best, or make the step smaller."""
        better = result.lowest != 0
        sigma = state.sigma if better else state.sigma * self.settings.shrink
        return replace(
            state, round=state.round + 1, center=best.weights if better else state.center, sigma=sigma, best=best
        )
