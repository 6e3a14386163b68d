"""What every strategy must do."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from distsearch.candidates.base import Dense
from distsearch.errors import ObjectiveError
from distsearch.runs.checkpoints import flatten, unflatten
from distsearch.settings import declarations
from distsearch.strategies.base import Answer, AnyStrategy, State
from distsearch.strategies.population import PopulationStrategy
from distsearch.testing.problems import Problem, expect

Kind = type[AnyStrategy]
Given = Mapping[str, Any] | None
"""Settings by name."""


def bytes_of(state: State) -> dict[str, bytes]:
    """All that a state holds, by the names under which it is stored."""
    tensors, scalars = flatten(state)
    arrays = {name: value.tobytes() for name, value in tensors.items()}
    return arrays | {name: repr(value).encode() for name, value in scalars.items()}


def bytes_of_answer(answer: Answer) -> list[object]:
    """All that an answer holds: losses and sums."""
    return [answer.losses.tobytes(), *((part.level, part.position, part.vector.tobytes()) for part in answer.sums)]


def check_description(kind: Kind, settings: Given = None) -> None:
    """It has a name, a summary, and settings that are all declared with `about`."""
    expect(bool(kind.name and kind.summary), "a strategy has a name and a summary")
    for setting in declarations(kind.Settings):
        expect(bool(setting.text), f"the setting {setting.name} is declared with `about`")


def check_first_candidate(kind: Kind, settings: Given = None) -> None:
    """Candidate 0 of every round is the center, and all others differ from it and from each other."""
    problem = Problem(kind, settings)
    if not isinstance(problem.strategy, PopulationStrategy):
        return
    for rounds in (0, 3):
        state = problem.searched(rounds)
        weights = problem.strategy.ask(state, 0, problem.strategy.units(state)).dense()
        expect(weights[0].tobytes() == state.center.tobytes(), "candidate 0 is the center, to the bit")
        expect(len(np.unique(weights, axis=0)) == len(weights), "no two candidates of a round are the same")


def check_split(kind: Kind, settings: Given = None) -> None:
    """Candidates are the same in whatever ranges they are asked for."""
    problem = Problem(kind, settings)
    strategy = problem.strategy
    if not isinstance(strategy, PopulationStrategy):
        return
    state = problem.searched(3)
    units = strategy.units(state)
    whole = strategy.ask(state, 0, units).dense()
    expect(whole.shape == (units, state.center.size), "`ask` gives (candidates, n)")
    for cut in {1, units // 3, units - 1}:
        parts = strategy.ask(state, 0, cut).dense(), strategy.ask(state, cut, units).dense()
        expect(np.concatenate(parts).tobytes() == whole.tobytes(), f"asked for in two parts at {cut}, all are the same")


def check_purity(kind: Kind, settings: Given = None) -> None:
    """`work` and `tell` give the same each time, and leave their arguments as they are."""
    problem = Problem(kind, settings)
    strategy, state = problem.strategy, problem.searched(3)
    before = bytes_of(state)
    once, again = (strategy.work(state, problem.objective, 0, strategy.units(state)) for _ in range(2))
    expect(bytes_of_answer(once) == bytes_of_answer(again), "`work` gives the same losses and sums each time")
    first, second = problem.told(state, [once]), problem.told(state, [again])
    expect(bytes_of(first) == bytes_of(second), "`tell` gives the same state each time")
    expect(bytes_of(state) == before, "`work` and `tell` leave the state as it is")


def check_parts(kind: Kind, settings: Given = None) -> None:
    """A round may be divided at every boundary, and its answers lead to the same state."""
    problem = Problem(kind, settings)
    strategy = problem.strategy
    for candidates in (1, 5):
        problem.objective.tiling = problem.objective.tiling._replace(candidates=candidates)
        state = problem.searched(3)
        units = strategy.units(state)
        boundaries = list(strategy.boundaries(state, problem.objective))
        expect(boundaries[0] == 0 and boundaries[-1] == units, "boundaries go from 0 to the number of units")
        expect(all(lo < hi for lo, hi in pairwise(boundaries)), "boundaries rise")
        whole = problem.told(state, [strategy.work(state, problem.objective, 0, units)])
        for cuts in (boundaries, [0, boundaries[len(boundaries) // 2], units]):
            ranges = pairwise(sorted(set(cuts)))
            parts = [strategy.work(state, problem.objective, lo, hi) for lo, hi in ranges]
            expect(bytes_of(problem.told(state, parts)) == bytes_of(whole), "answers in parts lead to the same state")


def check_outgoing(kind: Kind, settings: Given = None) -> None:
    """What goes to workers is enough for the same answers and the same noise."""
    problem = Problem(kind, settings)
    strategy, state = problem.strategy, problem.searched(3)
    sent, units = strategy.outgoing(state), strategy.units(state)
    expect(strategy.units(sent) == units, "the outgoing state has as many units")
    here, there = (strategy.work(each, problem.objective, 0, units) for each in (state, sent))
    expect(bytes_of_answer(here) == bytes_of_answer(there), "the outgoing state gives the same losses and sums")
    noises = [strategy.noise(each, 0, units).tobytes() for each in (state, sent)]
    expect(noises[0] == noises[1], "the outgoing state gives the same noise")
    if isinstance(strategy, PopulationStrategy):
        candidates = [strategy.ask(each, 0, units).dense().tobytes() for each in (state, sent)]
        expect(candidates[0] == candidates[1], "the outgoing state gives the same candidates")


def check_resume(kind: Kind, settings: Given = None) -> None:
    """A state that was stored and read continues as if it had never been stored."""
    problem = Problem(kind, settings)
    half = problem.searched(10)
    stored = unflatten(type(half), *flatten(half))
    expect(type(half) is problem.strategy.state_type, "`state_type` is the type of its states")
    expect(
        bytes_of(problem.searched(10, stored)) == bytes_of(problem.searched(20)),
        "a stored state continues to the same bits: all that changes is in the state",
    )


def check_kept_weights(kind: Kind, settings: Given = None) -> None:
    """Kept weights are copies of their own: later rounds leave them alone, and nobody can write to them."""
    problem = Problem(kind, settings)
    given = problem.start.copy()
    start = problem.strategy.init(given, 0)
    given += 1
    expect(start.center.tobytes() == problem.start.tobytes(), "`init` keeps a copy of the weights that it is given")
    state = problem.searched(10)
    kept = state.best.weights.copy()
    expect(not state.best.weights.flags.writeable, "the best weights cannot be written to")
    problem.searched(10, state)
    expect(state.best.weights.tobytes() == kept.tobytes(), "later rounds leave the best weights alone")


def check_non_finite(kind: Kind, settings: Given = None) -> None:
    """A candidate without a finite loss never wins, and a round without any ends the search."""
    problem = Problem(kind, settings)
    state = problem.first()
    units = problem.strategy.units(state)
    try:
        problem.told(state, [Answer(np.full(units, np.nan))])
    except ObjectiveError:
        pass
    else:
        raise AssertionError("expected an ObjectiveError of a round without a finite loss")
    if not isinstance(problem.strategy, PopulationStrategy) or problem.strategy.chosen_by_measuring:
        return
    losses = np.full(units, 7.0)
    losses[1], losses[2], losses[-1] = np.nan, -np.inf, 3.0
    best = problem.told(state, [Answer(losses)]).best
    expect((best.loss, best.index) == (3.0, units - 1), "the lowest finite loss is the best")


def check_best(kind: Kind, settings: Given = None) -> None:
    """The best weights have the best loss."""
    problem = Problem(kind, settings)
    state = problem.searched(50)
    if isinstance(problem.strategy, PopulationStrategy):
        losses = problem.objective.losses(Dense(state.best.weights[np.newaxis]), 0)
        expect(float(losses[0]) == state.best.loss, "the best weights have the best loss")


STRATEGY_CHECKS: tuple[Callable[..., None], ...] = (
    check_description,
    check_first_candidate,
    check_split,
    check_purity,
    check_parts,
    check_outgoing,
    check_resume,
    check_kept_weights,
    check_non_finite,
    check_best,
)
