"""Random search: every candidate has fresh random weights; the lowest loss is kept. The course's baseline."""

from dataclasses import replace
from typing import Annotated

import numpy as np

from distsearch.candidates.base import Dense
from distsearch.settings import about
from distsearch.strategies.base import LARGEST_SIGMA, Array, Best, RoundResult, State
from distsearch.strategies.population import PopulationSettings, PopulationStrategy


class RandomSearchSettings(PopulationSettings, frozen=True):
    """The settings of random-search."""

    sigma: Annotated[float, about("standard deviation of the random weights", above=0, below=LARGEST_SIGMA)] = 1.0


class RandomSearch(PopulationStrategy[RandomSearchSettings, State]):
    """Candidates are σ·z, regardless of the best weights."""

    name = "random-search"
    summary = "fresh random weights every time: the baseline"
    when = "to see what other strategies gain"
    Settings = RandomSearchSettings

    def init(self, weights: Array, seed: int) -> State:
        """The state before the first round."""
        return State.before_any_round(weights, seed, self.settings.sigma)

    def units(self, state: State) -> int:
        """The population."""
        return self.settings.population

    def ask(self, state: State, lo: int, hi: int) -> Dense:
        """Weights σ·z, (hi - lo, n); the center is the best so far."""
        weights = self.noise(state, lo, hi)
        weights *= np.float32(state.sigma)
        if lo == 0:
            weights[0] = state.center
        return Dense(weights)

    def advance(self, state: State, result: RoundResult, best: Best) -> State:
        """Keep the lowest loss so far; where the best is chosen by measuring, that of the round."""
        center = self.weights_of(state, result.lowest) if self.chosen_by_measuring else best.weights
        return replace(state, round=state.round + 1, center=center, best=best)
