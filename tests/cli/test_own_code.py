"""Errors raised in the user's own code, of whatever kind it is, are reported with its line, and not as our bugs."""

import re

import pytest
from programs import SHORT, ran, refused, succeeded

MINE = """
from dataclasses import replace
from pathlib import Path

import numpy as np

from distsearch.callbacks import Tracker
from distsearch.candidates.base import Dense
from distsearch.networks.precision import Precision
from distsearch.objectives.losses import Loss
from distsearch.search.observers import Observer
from distsearch.strategies.base import Best, State, frozen
from distsearch.strategies.population import PopulationSettings, PopulationStrategy


class Strategy(PopulationStrategy[PopulationSettings, State]):
    name = "own"
    summary = "fails in its second round"
    Settings = PopulationSettings

    def init(self, weights, seed):
        start = frozen(weights)
        return State(seed, 0, start, self.settings.sigma, Best.unknown(start))

    def units(self, state):
        return self.settings.population

    def ask(self, state, lo, hi):
        weights = self.noise(state, lo, hi)
        if state.round == 1:
            weights[10**9] = 0  # strategy
        if lo == 0:
            weights[0] = 0
        return Dense(weights + state.center)

    def advance(self, state, result, best):
        return replace(state, round=state.round + 1, center=best.weights, best=best)


class Empty(Strategy):
    def ask(self, state, lo, hi):
        return None


class Few(Strategy):
    def ask(self, state, lo, hi):
        return Dense(self.noise(state, lo, hi)[1:])


class Still(Strategy):
    def advance(self, state, result, best):
        return state


class Adrift(Strategy):
    def advance(self, state, result, best):
        return replace(state, round=state.round + 1, center=None, best=None)


class Each(Loss):
    def each(self, outputs, targets):
        raise ValueError("no each")  # loss

    def total(self, outputs, targets):
        return self.each(outputs, targets).sum(axis=1)


def whole(outputs, targets):
    return outputs[10**9]  # function


def metric(truth, predicted):
    raise ZeroDivisionError("nothing to divide")  # metric


def read(path, selection):
    return Path("absent.dat").read_text()  # reader


class Watching(Observer):
    def round(self, done):
        return done.record.nothing  # tracker


def watch(place):
    return Watching()


class Rounding(Precision):
    bits = 8

    def rounded(self, matrices):
        raise KeyError("steps")  # precision


rounding = Rounding()


def layer(arguments, builder):
    return builder.no_such_thing  # layer
"""

CASES = {
    "strategy": (("--strategy", "mine:Strategy", "--name", "own"), "the strategy mine:Strategy raised IndexError: "),
    "loss": (("--loss", "mine:Each"), "the loss mine:Each raised ValueError: no each ("),
    "reader": (("--data", "x.csv", "--reader", "mine:read"), "the reader mine:read raised FileNotFoundError: "),
    "tracker": (("--track", "mine:watch", "--name", "own"), "the tracker mine:watch raised AttributeError: "),
    "precision": (("--precision", "mine:rounding"), "the precision mine:rounding raised KeyError: 'steps' ("),
    "layer": (("--layers", "mine:layer(2)"), "the layer mine:layer raised AttributeError: "),
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "x.csv").write_text("a,b\n1,x\n2,y\n")
    return tmp_path


NAMED = """
from dataclasses import replace
from typing import Annotated

from distsearch.candidates.base import Dense
from distsearch.settings import about
from distsearch.strategies.base import Best, State, frozen
from distsearch.strategies.population import PopulationSettings, PopulationStrategy


class Settings(PopulationSettings, frozen=True):
    momentum: Annotated[float, about("of mine")] = 0.5
    lr: Annotated[float, about("of mine")] = 1.0


class Named(PopulationStrategy[Settings, State]):
    name = "named"
    summary = "steps as far as it is told"
    Settings = Settings

    def init(self, weights, seed):
        start = frozen(weights)
        return State(seed, 0, start, self.settings.sigma, Best.unknown(start))

    def units(self, state):
        return self.settings.population

    def ask(self, state, lo, hi):
        weights = self.noise(state, lo, hi) * self.settings.lr
        if lo == 0:
            weights[0] = 0
        return Dense(weights + state.center)

    def advance(self, state, result, best):
        return replace(state, round=state.round + 1, center=best.weights, best=best)
"""


def line_of(kind: str) -> int:
    return next(number for number, line in enumerate(MINE.splitlines(), 1) if line.endswith(f"# {kind}"))


@pytest.mark.parametrize("kind", CASES)
def test_an_error_of_the_users_own_code_names_its_line(folder, kind):
    flags, sentence = CASES[kind]
    done = ran("run", *flags, *SHORT, cwd=folder)
    assert done.returncode == 2, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"distsearch: {sentence}")
    assert f"({folder / 'mine.py'}, line {line_of(kind)})" in last
    assert ("The run up to here is kept in runs/own." in last) == ("own" in flags)


@pytest.mark.parametrize(
    ("kind", "flags", "sentence"),
    [
        ("function", ("--loss", "mine:whole"), "the loss mine:whole raised IndexError: "),
        ("metric", ("--metrics", "mine:metric"), "the metric mine:metric raised ZeroDivisionError: nothing to divide"),
    ],
)
def test_what_is_optimised_or_reported_keeps_its_exit_code(folder, kind, flags, sentence):
    said = ran("run", *flags, *SHORT, cwd=folder)
    assert said.returncode == 4
    last = said.stderr.splitlines()[-1]
    assert last.startswith(f"distsearch: {sentence}")
    assert last.endswith(f"mine.py, line {line_of(kind)})")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("Empty", "expected ask to return 32 candidates, such as distsearch.candidates.base.Dense(weights), got None"),
        ("Few", "expected ask to return 32 candidates, such as distsearch.candidates.base.Dense(weights), got 31"),
        ("Still", "expected advance to return the state of round 1, got that of round 0"),
    ],
)
def test_a_strategy_that_returns_something_else_is_told_what_is_expected(folder, name, sentence):
    done = ran("run", "--strategy", f"mine:{name}", *SHORT, cwd=folder)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == f"distsearch: the strategy own: {sentence}"


def test_settings_of_an_own_strategy_may_have_names_that_mean_something_else_elsewhere(folder):
    (folder / "named.py").write_text(NAMED)
    said = succeeded("run", "--strategy", "named:Named", "--momentum", "0.25", "--lr", "0.5", *SHORT, cwd=folder).stderr
    assert "rate" not in said
    [kept] = folder.glob("runs/*/config.toml")
    assert {"lr = 0.5", "momentum = 0.25"} <= set(kept.read_text().splitlines())
    assert "the optimizer adam has its own" in refused("run", "--momentum", "0.25", *SHORT, cwd=folder)


def test_what_the_users_own_code_gives_wrongly_may_be_its_fault(folder):
    done = ran("run", "--strategy", "mine:Adrift", *SHORT, cwd=folder, variables={"TMPDIR": str(folder)})
    assert done.returncode == 70
    assert "stopped by an error of its own, or of the strategy mine:Adrift (AttributeError: " in done.stderr


def test_a_module_that_cannot_be_imported_names_its_line(folder):
    (folder / "broken.py").write_text("import mine\n\nvalue = mine.absent\n")
    sentence = refused("run", "--strategy", "broken:Strategy", *SHORT, cwd=folder)
    assert sentence.startswith("strategy: cannot load 'broken:Strategy' (AttributeError: ")
    assert sentence.endswith(f"({folder / 'broken.py'}, line 3)")


@pytest.mark.slow
def test_an_error_on_a_worker_names_its_line_too(folder):
    done = ran("run", "--strategy", "mine:Strategy", "--name", "own", "--workers", "1", "--rounds", "3", cwd=folder)
    assert done.returncode == 2, done.stderr
    last = done.stderr.splitlines()[-1]
    assert re.match(r"distsearch: the strategy mine:Strategy raised IndexError: .*mine.py, line \d+\)", last)
    assert f"line {line_of('strategy')})" in last
