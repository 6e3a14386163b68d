"""The loop: workers evaluate a round's candidates, the strategy makes the next state, observers hear of it."""

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from math import inf

from msgspec import structs

from distsearch.runs.history import RoundRecord
from distsearch.search.assembly import Assembly
from distsearch.search.endings import Found, result_of, warn_of_no_round
from distsearch.search.interrupts import Interrupts
from distsearch.search.limits import CALLBACK, INTERRUPTED, SECONDS
from distsearch.search.noise import Noise
from distsearch.search.observers import Observer, Round
from distsearch.search.rounds import Outcome, Rounds, best_of_some
from distsearch.search.spent import Spent
from distsearch.search.underway import Underway
from distsearch.strategies.base import State
from distsearch.workers.base import Pool, TimeIsUpError

LOG = logging.getLogger(__name__)


def search(
    assembly: Assembly,
    pool: Pool,
    state: State,
    done: Sequence[RoundRecord],
    observer: Observer,
    interrupts: Interrupts,
    run: str = "",
) -> Found:
    """Round after round until a limit is reached, from a state that the rounds `done` have led to.

    SIGINT, SIGTERM and the limit of seconds abandon the current round and end the search. Of the first, what was
    evaluated is kept; also if it fails, before what has failed is raised. `run` is the search's name, if it is kept.
    """
    limits, spent, share = assembly.limits(done), Spent.of(done), assembly.task.share
    observer.started(state)
    noise = Noise(pool, bool(done) and done[-1].noisy, at_once=assembly.config.stop.target_loss is not None)
    rounds = _rounds(assembly, pool, noise)
    reason = limits.already  # of a run that was killed when only its result was missing
    began = time.monotonic() - spent.seconds
    pool.deadline, pool.awaits_one = began + limits.seconds, state.best.loss == inf
    pool.heard = Underway(observer, began, limits.seconds < inf)
    while not reason:
        try:
            outcome = interrupts.during(rounds.run, state)
        except TimeIsUpError:
            outcome, reason = None, SECONDS
        except Exception:
            if pool.awaits_one and not state.round:
                _keep_the_best(assembly, rounds, pool, state, observer, began, measure=False)
            raise
        if outcome is None:
            reason = reason or INTERRUPTED
            if pool.awaits_one and not state.round:
                state, spent = _keep_the_best(assembly, rounds, pool, state, observer, began)
                warn_of_no_round(assembly, state, spent.candidates, reason)
            elif reason == SECONDS and state.round == len(done):
                LOG.warning("not one more round was finished in time: allow more seconds, or make rounds smaller")
            break
        before, state = state, outcome.after
        if pool.awaits_one:
            pool.awaits_one = state.best.loss == inf
        spent.passes += assembly.strategy.passes(before) * share
        spent.seconds = time.monotonic() - began
        row = _record(spent, before, outcome, assembly.strategy.center_loss(outcome.losses), noise.found)
        ends = observer.round(Round(row, outcome.losses, state, pool.count))
        reason = limits.reached(row) or (CALLBACK if ends else "")
    result = result_of(run, assembly, reason, spent, state)
    if noise.found and (again := interrupts.during(noise.mean_of_center, state, spent.candidates)) is not None:
        result = structs.replace(result, center_loss=again[0], center_evaluations=again[1])
    observer.ended(result)
    return Found(result, state)


def _rounds(assembly: Assembly, pool: Pool, noise: Noise) -> Rounds:
    """What runs the rounds; it looks for noise unless a network is searched: on its data, that gives the same bits."""
    output, looking = assembly.config.output, noise if assembly.objective.foreign else None
    every, first = output.measure_every or 1, output.measure_first
    return Rounds(assembly.strategy, pool, every, first, looking, assembly.plan.constraints)


def _record(spent: Spent, before: State, outcome: Outcome, center_loss: float, noisy: bool) -> RoundRecord:
    """The record of a round that is done, whose losses are added to what was spent."""
    spent.candidates += len(outcome.losses)
    row = RoundRecord.of(
        before,
        outcome.after,
        outcome.losses,
        outcome.measured,
        center_loss=center_loss,
        candidates=spent.candidates,
        passes=spent.passes,
        seconds=spent.seconds,
        noisy=noisy,
    )
    if row.non_finite:
        spent.non_finite += row.non_finite
    return row


def _keep_the_best(
    assembly: Assembly,
    rounds: Rounds,
    pool: Pool,
    state: State,
    observer: Observer,
    began: float,
    measure: bool = True,
) -> tuple[State, Spent]:
    """Give up the first round: the state before it with the best of what was evaluated in it, and what that has cost.

    The start's loss is measured where it is needed and unknown, unless that could fail again.
    """
    strategy, answers = assembly.strategy, rounds.answered or pool.answered
    spent = Spent.of_part([answer for _, answer in answers], time.monotonic() - began)
    spent.passes = strategy.passes(state) * assembly.task.share * spent.candidates / strategy.units(state)
    best = best_of_some(strategy, state, answers, assembly.objective.measure if measure else None)
    state = replace(state, best=best)
    observer.cut(state, spent)
    return state, spent
