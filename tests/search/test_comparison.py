import csv
import io
import os
import signal
from contextlib import contextmanager
from math import inf

import pytest

from distsearch import strategies
from distsearch.config import from_flags
from distsearch.errors import SettingError
from distsearch.runs.directory import Result
from distsearch.runs.layout import run_paths
from distsearch.search import comparison
from distsearch.search.assembly import assemble
from distsearch.search.comparison import Contestant, Spread
from distsearch.search.data import read_data
from distsearch.search.limits import INTERRUPTED, TARGET_LOSS
from distsearch.search.observers import Observer
from distsearch.strategies.hill_climb import HillClimb


class Demanding(HillClimb):
    """A strategy that suits no problem."""

    name = "demanding"
    summary = "refuses everything"

    @classmethod
    def resolve(cls, settings, task):
        raise SettingError(f"demanding: expected at most 5 weights, got {task.weights_count}")


@pytest.fixture
def demanding(monkeypatch):
    monkeypatch.setitem(strategies.STRATEGIES.own, "demanding", Demanding)


@contextmanager
def unwatched(assembly):
    yield Observer()


def compared(folder, names, seeds=1, **flags) -> list[Contestant]:
    settings = from_flags({"workers": 0, "rounds": 5, "runs": str(folder), **flags})
    configs = comparison.planned(settings, names, seeds)
    return list(comparison.run(configs, read_data(settings), unwatched, True))


def ended(strategy: str, seed: int, reason: str, seconds: float, loss: float = 0.5) -> Contestant:
    result = Result(
        run="a",
        reason=reason,
        rounds=1,
        candidates=7,
        passes=100 * seconds,
        seconds=seconds,
        loss=loss,
        accuracy=0.9,
        test_loss=None,
        test_accuracy=None,
        best_round=0,
        best_index=0,
    )
    return Contestant(strategy, seed, result)


def test_every_strategy_gets_every_seed_and_the_same_budget(tmp_path):
    searches = compared(tmp_path, ["hill-climb", "random-search"], seeds=3, seed=7)
    assert [(each.strategy, each.seed) for each in searches] == [
        (name, seed) for seed in (7, 8, 9) for name in ("hill-climb", "random-search")
    ]
    assert {each.result.rounds for each in searches} == {5}
    assert len({each.result.loss for each in searches}) == 6


def test_notes_on_the_data_are_given_once(tmp_path, said):
    settings = from_flags({"workers": 0, "rounds": 1, "runs": str(tmp_path), "loss": "classification-error"})
    configs = comparison.planned(settings, ["hill-climb", "random-search"], 2)
    assert len(list(comparison.run(configs, read_data(settings), unwatched, True))) == 4
    assert ["--scale" in sentence for sentence in said].count(True) == 1


def test_a_compared_search_equals_a_separate_run(tmp_path):
    from searches import search

    _, alone = search(tmp_path / "alone", rounds=5, seed=3, strategy="hill-climb", ladder=2)
    found = compared(tmp_path, ["random-search", "hill-climb"], seed=3, ladder=2)
    assert found[1].result.loss == alone.loss


def test_a_setting_goes_to_the_strategies_that_have_it():
    settings = from_flags({"ladder": 2, "population": 8})
    climb, pick = comparison.planned(settings, ["hill-climb", "random-search"], 1)
    assert climb.settings == {"ladder": 2, "population": 8}
    assert pick.settings == {"population": 8}


def test_a_setting_that_none_has_is_refused_with_the_strategies_that_have_it():
    with pytest.raises(SettingError, match="none of random-search has the setting 'ladder': it belongs to .*hill-cl"):
        comparison.planned(from_flags({"ladder": 2}), ["random-search"], 1)
    with pytest.raises(SettingError, match="'lader': they have sigma, population, adapt, ladder"):
        comparison.planned(from_flags({"lader": 2}), ["hill-climb"], 1)


def test_auto_stands_for_the_strategy_it_chooses_which_is_compared_once(said):
    settings = from_flags({"strategy": "random-search"})
    dataset = read_data(settings)
    names = ["auto", "hill-climb", "node-perturbation", "hill-climb"]
    assert comparison.chosen(settings, names, dataset) == ["node-perturbation", "hill-climb"]
    assert said == [
        "strategy node-perturbation: a network of 21 weights, whose nodes can be perturbed in every example"
    ]
    counted = from_flags({"loss": "classification-error"})
    assert comparison.chosen(counted, ["auto"], dataset) == ["hill-climb"]
    own = "distsearch.strategies.hill_climb:HillClimb"
    assert comparison.chosen(settings, [own], dataset) == [own]
    with pytest.raises(SettingError, match="unknown strategy 'aut': did you mean 'auto'"):
        comparison.chosen(settings, ["aut"], dataset)


def test_an_unknown_strategy_is_refused_before_anything_is_searched():
    with pytest.raises(SettingError, match="did you mean 'hill-climb'"):
        comparison.planned(from_flags({}), ["random-search", "hill-clim"], 1)
    with pytest.raises(SettingError, match="expected strategies to compare"):
        comparison.planned(from_flags({}), [], 1)


def test_every_search_ends_even_if_its_target_is_out_of_reach():
    assert comparison.planned(from_flags({"target_loss": 0.0}), ["hill-climb"], 1)[0].stop.seconds == 10
    assert comparison.planned(from_flags({"rounds": 3}), ["hill-climb"], 1)[0].stop.seconds is None
    assert comparison.planned(from_flags({"patience": 3}), ["hill-climb"], 1)[0].stop.seconds is None


def test_a_failed_search_is_a_line_that_says_why(tmp_path, demanding):
    searches = compared(tmp_path, ["demanding", "hill-climb"], seeds=2)
    bad, good = comparison.summary(searches, from_flags({}))
    assert bad.failure == "demanding: expected at most 5 weights, got 21"
    assert (bad.searches, bad.loss, bad.seconds) == (2, None, None)
    assert good.failure == ""
    assert good.loss.highest < 1.1


def test_a_failure_common_to_all_is_an_error(tmp_path):
    with pytest.raises(SettingError, match="unknown activation 'rleu'"):
        compared(tmp_path, ["hill-climb", "random-search"], seeds=3, activation="rleu")
    assert run_paths(tmp_path) == []


def test_runs_are_kept_only_on_request(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for keep in (False, True):
        settings = from_flags({"workers": 0, "rounds": 2, "name": "mine"})
        configs = comparison.planned(settings, ["hill-climb", "random-search"], 1)
        assert len(list(comparison.run(configs, read_data(settings), unwatched, keep))) == 2
        names = sorted(path.name for path in run_paths(tmp_path / "runs"))
        assert names == (["mine-hill-climb-0", "mine-random-search-0"] if keep else [])


@pytest.mark.slow
def test_one_ray_serves_all_searches_with_the_losses_of_this_process(tmp_path, ray_with_three_cpus):
    names = ["hill-climb", "random-search"]
    alone, pool = (compared(tmp_path, names, seeds=2, workers=workers) for workers in (0, 2))
    assert [each.result.loss for each in pool] == [each.result.loss for each in alone]


def test_a_seed_that_misses_the_target_counts_as_infinite_time():
    searches = [ended("a", 0, TARGET_LOSS, 1.0), ended("a", 1, "seconds", 9.0), ended("a", 2, TARGET_LOSS, 3.0)]
    (line,) = comparison.summary(searches, from_flags({"target_loss": 0.5}))
    assert line.reached == 2
    assert line.seconds == Spread(3.0, 1.0, inf)
    assert line.passes == Spread(300, 100, inf)
    (line,) = comparison.summary(searches, from_flags({}))
    assert line.reached is None
    assert line.seconds == Spread(3.0, 1.0, 9.0)


def test_all_strategies_are_counted_in_the_same_unit(tmp_path):
    """Slices of a minibatch do not count as candidates on all examples."""
    names = ["hill-climb", "node-perturbation"]
    searches = compared(tmp_path, names, data="digits", layers=[4])
    climb, nodes = comparison.summary(searches, from_flags({}))
    assert climb.passes.median == 5 * 32
    config = assemble(from_flags({"data": "digits", "layers": [4], "strategy": "node-perturbation"}))
    assert config.task.batch == 256
    of_a_round = config.strategy.passes(config.plan.first)
    assert nodes.passes.median == pytest.approx(5 * of_a_round * 256 / 1797)


def test_a_signal_between_two_searches_leaves_those_that_are_done(tmp_path, monkeypatch):
    assembling, prepared = iter(range(9)), comparison.assembly.assemble

    def assembled(*arguments):
        if next(assembling) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return prepared(*arguments)

    monkeypatch.setattr(comparison.assembly, "assemble", assembled)
    done = compared(tmp_path, ["hill-climb", "random-search"], seeds=3)
    assert [each.result.rounds for each in done] == [5, 5]


def test_an_interrupted_search_is_not_counted_but_a_non_finite_loss_is():
    searches = [ended("a", 0, "rounds", 1.0), ended("a", 1, "rounds", 1.0, inf), ended("a", 2, INTERRUPTED, 1.0, 0.1)]
    (line,) = comparison.summary(searches, from_flags({}))
    assert line.searches == 2
    assert line.loss == Spread(inf, 0.5, inf)
    assert line.test_accuracy is None


def test_failures_of_some_seeds_are_counted():
    searches = [ended("a", 0, "rounds", 1.0), Contestant("a", 1, failure="all workers are lost")]
    (line,) = comparison.summary(searches, from_flags({}))
    assert line.failure == "1 of 2 failed: all workers are lost"


def test_the_csv_has_a_line_per_strategy_with_missing_times_empty():
    searches = [ended("a", 0, TARGET_LOSS, 1.0), ended("b", 0, "seconds", 9.0)]
    text = comparison.as_csv(comparison.summary(searches, from_flags({"target_loss": 0.5})))
    first, second = csv.DictReader(io.StringIO(text))
    assert (first["strategy"], first["reached"], first["seconds_median"], first["loss_lowest"]) == (
        "a",
        "1",
        "1.0",
        "0.5",
    )
    assert (second["reached"], second["seconds_median"], second["seconds_highest"]) == ("0", "", "")
    assert second["test_accuracy_median"] == ""
