"""The checks for plug-in authors: built-in parts pass them, and each check finds the fault it is meant to find."""

from dataclasses import replace

import numpy as np
import pytest
from problems import Aliasing

from distsearch import testing
from distsearch.candidates.base import Dense
from distsearch.objectives.losses import LOSSES, CrossEntropy
from distsearch.strategies import STRATEGIES
from distsearch.strategies.base import Best
from distsearch.strategies.hill_climb import HillClimb
from distsearch.strategies.random_search import RandomSearch
from distsearch.testing import losses, readers, strategies
from distsearch.workers.local import LocalPool


@pytest.mark.parametrize("name", STRATEGIES.own)
@pytest.mark.parametrize("check", testing.STRATEGY_CHECKS)
def test_built_in_strategies_pass(name, check):
    check(STRATEGIES.own[name])


@pytest.mark.parametrize("name", LOSSES.own)
@pytest.mark.parametrize("check", testing.LOSS_CHECKS)
def test_built_in_losses_pass(name, check):
    check(LOSSES.own[name])


@pytest.mark.parametrize("check", testing.POOL_CHECKS)
def test_a_built_in_pool_passes(check):
    check(LocalPool)


class Nameless(HillClimb):
    summary = ""


class Uncentred(RandomSearch):
    def ask(self, state, lo, hi):
        return Dense(self.noise(state, lo, hi))


class Unsplittable(RandomSearch):
    def ask(self, state, lo, hi):
        weights = super().ask(state, lo, hi).weights
        weights[-1] += 1
        return Dense(weights)


class Counting(HillClimb):
    calls = 0

    def advance(self, state, result, best):
        Counting.calls += 1
        return replace(super().advance(state, result, best), sigma=0.05 + Counting.calls)


class Parted(HillClimb):
    def advance(self, state, result, best):
        return replace(super().advance(state, result, best), sigma=0.01 * len(result.answers))


class Sparse(HillClimb):
    def outgoing(self, state):
        return replace(super().outgoing(state), sigma=1.0)


class Remembering(HillClimb):
    last = 0.05

    def advance(self, state, result, best):
        after = super().advance(state, result, best)
        self.last *= 0.9
        return replace(after, sigma=self.last)


class Greedy(HillClimb):
    def best(self, state, losses, lowest):
        return Best(state.center, float(np.nanmin(losses)), state.round, int(np.nanargmin(losses)))


@pytest.mark.parametrize(
    ("check", "strategy", "sentence"),
    [
        (strategies.check_description, Nameless, "a name and a summary"),
        (strategies.check_first_candidate, Uncentred, "candidate 0 is the center"),
        (strategies.check_split, Unsplittable, "asked for in two parts"),
        (strategies.check_purity, Counting, "`tell` gives the same state each time"),
        (strategies.check_parts, Parted, "answers in parts lead to the same state"),
        (strategies.check_outgoing, Sparse, "the outgoing state gives the same losses"),
        (strategies.check_resume, Remembering, "a stored state continues to the same bits"),
        (strategies.check_kept_weights, Aliasing, "the best weights cannot be written to"),
        (strategies.check_non_finite, Greedy, "the lowest finite loss is the best"),
        (strategies.check_best, Aliasing, "the best weights have the best loss"),
    ],
)
def test_a_faulty_strategy_is_found(check, strategy, sentence):
    with pytest.raises(AssertionError, match=sentence):
        check(strategy)


class Halved(CrossEntropy):
    def total(self, outputs, targets):
        return super().total(outputs, targets) / 2


class Neighbourly(CrossEntropy):
    def total(self, outputs, targets):
        return super().total(outputs, targets) + np.float32(outputs.shape[0])


class Averaged(CrossEntropy):
    def total(self, outputs, targets):
        return super().total(outputs, targets) / outputs.shape[2]


class Flat(CrossEntropy):
    def each(self, outputs, targets):
        return super().each(outputs, targets)[0]


@pytest.mark.parametrize(
    ("check", "loss", "sentence"),
    [
        (losses.check_shapes, Flat, "`each` gives .candidates, examples."),
        (losses.check_total, Halved, "`total` is the sum of `each`"),
        (losses.check_neighbours, Neighbourly, "a candidate's total is its own"),
        (losses.check_chunks, Averaged, "chunks add up to the whole"),
    ],
)
def test_a_faulty_loss_is_found(check, loss, sentence):
    with pytest.raises(AssertionError, match=sentence):
        check(loss)


class Hasty(LocalPool):
    def sweep(self, request):
        answers = super().sweep(request)
        losses = getattr(answers[0], "losses", None)
        if losses is not None:
            losses += 1e-9
        return answers


def test_a_pool_with_other_bits_is_found():
    with pytest.raises(AssertionError, match="a round of .* gives the bits of one process"):
        testing.POOL_CHECKS[0](Hasty)


def test_built_in_readers_pass_and_one_that_ignores_the_selection_is_found(tmp_path):
    from distsearch.data.readers import csv_tables

    table = tmp_path / "a.csv"
    table.write_text("a,b,y\n1,2,0\n3,4,1\n")
    readers.check_reader(csv_tables.read, str(table))
    with pytest.raises(AssertionError, match="no targets where none are wanted"):
        readers.check_reader(lambda path, selection: csv_tables.read(path, readers.Selection()), str(table))
