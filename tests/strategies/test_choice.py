import numpy as np
import pytest
from problems import create, network_objective
from searches import search

import distsearch
from distsearch import strategies
from distsearch.candidates.blocks import Block, NodeLayer
from distsearch.errors import SettingError
from distsearch.objectives.base import Task, Traits
from distsearch.runs.directory import StoredRun

NETWORK = {
    "blocks": (Block(0, 3, 3), Block(9, 3, 4)),
    "nodes": (NodeLayer(3, 180, 3), NodeLayer(3, 180, 4)),
    "examples": 300,
    "batch": 300,
}
FLAT = Traits(flat=True)


@pytest.mark.parametrize(
    ("task", "name"),
    [
        (Task(21, **NETWORK), "node-perturbation"),
        (Task(21, **NETWORK, traits=FLAT), "hill-climb"),
        (Task(100_000, **NETWORK, traits=FLAT), "node-perturbation"),
        (Task(20), "cma-es"),
        (Task(3000), "snes"),
        (Task(100_000), "evolution-strategy"),
    ],
)
def test_auto_chooses_by_the_task_and_says_why(task, name):
    chosen, why = strategies.choose(task)
    assert chosen == name
    assert why


@pytest.mark.parametrize(
    ("task", "wanted", "name"),
    [
        (Task(21, **NETWORK), ["decay", "sigma"], "node-perturbation"),
        (Task(21, **NETWORK), ["population"], "cma-es"),
        (Task(1000, **NETWORK), ["population"], "snes"),
        (Task(1000, **NETWORK), ["population", "decay"], "evolution-strategy"),
        (Task(21, **NETWORK, traits=FLAT), ["decay"], "node-perturbation"),
        (Task(100_000, **NETWORK, traits=FLAT), ["population"], "hill-climb"),
        (Task(20), ["temperature"], "annealing"),
    ],
)
def test_auto_chooses_among_the_strategies_that_have_the_settings(task, wanted, name):
    chosen, why = strategies.choose(task, wanted)
    assert chosen == name
    assert ("suits best" in why) == (name != strategies.choose(task)[0])


def test_settings_that_no_strategy_has_together_are_refused():
    with pytest.raises(SettingError, match=r"settings\.temperature: a setting of annealing, but of none that also has"):
        strategies.choose(Task(21, **NETWORK), ["temperature", "groups"])


def test_arrays_are_searched_by_a_strategy_that_has_the_settings(tmp_path):
    X, y = np.eye(4), np.arange(4) % 2
    distsearch.search(X, y, layers=[4], temperature=1.0, rounds=1, workers=0, runs=tmp_path, name="a")
    assert StoredRun(tmp_path / "a").config.strategy.name == "annealing"


def test_a_run_records_what_auto_chose(tmp_path):
    stored, _ = search(tmp_path, strategy="auto", data="iris", layers=[3], rounds=12)
    assert stored.config.strategy.name == "node-perturbation"
    assert stored.config.settings["rate"] == pytest.approx(min(0.1, 1 / np.sqrt(stored.manifest.weights)))
    assert stored.path.name == "iris-node-perturbation-1"


@pytest.mark.slow
def test_auto_chooses_for_functions_too():
    result = distsearch.minimize(
        lambda weights: float(((weights - 3) ** 2).sum()), np.zeros(4), strategy="auto", rounds=80
    )
    assert result.loss < 1e-3


def test_adjusted_settings_are_reported():
    told = create("evolution-strategy", {"population": 6}, network_objective("iris", (8,))).chosen
    assert told.startswith("evolution-strategy chose ")
    assert "population 7 instead of 6" in told
    assert "rank 0" in told
    assert create("hill-climb", {"population": 5}).chosen == ""


@pytest.mark.parametrize(("name", "even", "whole"), [("evolution-strategy", 10002, 10003), ("snes", 10002, 10003)])
def test_a_population_is_rounded_up_to_whole_pairs_and_a_note_says_so(name, even, whole):
    assert f"population {whole} instead of {even}" in create(name, {"population": even}).chosen
    assert "population" not in create(name, {"population": whole}).chosen


@pytest.mark.parametrize(("rarest", "name"), [(0.01, "hill-climb"), (0.3, "node-perturbation")])
def test_auto_avoids_node_perturbation_on_flat_losses_with_a_rare_class(rarest, name):
    task = Task(1000, traits=FLAT, rarest=rarest, **NETWORK)
    assert strategies.choose(task)[0] == name
