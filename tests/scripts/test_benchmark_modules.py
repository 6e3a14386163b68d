"""The race of torch modules, as far as it runs without torch."""

import sys
from math import inf
from pathlib import Path
from types import SimpleNamespace

import pytest

FOLDER = Path(__file__).parents[2] / "scripts" / "benchmark_peers"
ROOMS = ("modules", "nondiff")


@pytest.fixture
def race(monkeypatch):
    """The race's own modules, importable while a test runs."""
    monkeypatch.syspath_prepend(str(FOLDER))
    from modules import __main__ as command
    from modules import rows, table
    from nondiff import marks

    yield SimpleNamespace(command=command, rows=rows, table=table, marks=marks)
    for name in [each for each in sys.modules if each.split(".")[0] in ROOMS]:
        monkeypatch.delitem(sys.modules, name)


@pytest.fixture
def search(race):
    """Makes a search from the seconds at which it had some accuracies."""

    def made(row, who, workers=0, seed=0, **times):
        marks = [race.marks.Mark(10, seconds, int(name[1:]) / 1000) for name, seconds in times.items()]
        return race.marks.Search(row, who, workers, seed, tuple(marks), marks[-1])

    return made


def compared(race, *searches):
    found = race.table.Compared(searches)
    return found, {(line.row.name, line.who): line for line in found.lines}


def test_a_module_and_the_same_layers_are_searched_with_the_same_settings(race):
    for module in race.rows.ROWS.values():
        assert list(module.accuracies) == sorted(module.accuracies)
        own = module.own.config("folder", 3, 2)
        assert (own.data.source, own.strategy.seed, own.workers.count) == ("folder", 3, 2)
        assert own.network.model.startswith("modules.models:")
        if module.layers is not None:
            layers = module.entry(race.rows.LAYERS).config("folder", 3, 2)
            assert not layers.network.model
            assert layers.network.layers
            assert (layers.settings, layers.data, layers.stop) == (own.settings, own.data, own.stop)


def test_a_module_is_held_beside_the_layers_at_the_last_accuracy_that_both_reach(race, search):
    found, lines = compared(
        race,
        search("staircase", "distsearch", a943=9.0, a960=12.0),
        search("staircase", "layers", a943=3.0, a960=8.0, a970=10.0),
    )
    assert found.ratio(lines["staircase", "layers"]) == pytest.approx(1.5)
    assert found.verdict(lines["staircase", "layers"]) == "at most 2: met"
    assert found.verdict(lines["staircase", "distsearch"]) == ""
    slow, lines = compared(
        race, search("staircase", "distsearch", a943=9.0), search("staircase", "layers", a943=4.0, a970=10.0)
    )
    assert slow.verdict(lines["staircase", "layers"]) == "at most 2: MISSED"


def test_others_are_held_beside_our_seconds_to_what_they_came_to(race, search):
    ours = [search("lstm", "distsearch", seed=seed, a300=seconds, a960=400.0) for seed, seconds in enumerate((2, 4, 6))]
    found, lines = compared(race, *ours, search("lstm", "evotorch", a250=80.0, a240=600.0))
    theirs = lines["lstm", "evotorch"]
    assert found.ours_to(theirs) == 4.0
    assert found.fewer(theirs) == pytest.approx(20.0)
    assert found.verdict(theirs) == "at least 20: met"
    assert found.verdict(lines["lstm", "distsearch"]) == "96.0% in 600 s: met"
    assert found.beside(theirs) == "ours in 4 s: 20 times fewer"


def test_who_has_learnt_nothing_is_held_beside_our_seconds_to_more_than_chance(race, search):
    found, lines = compared(
        race, search("lstm", "distsearch", a098=0.1, a130=2.0), search("lstm", "evotorch", a113=10.0, a103=80.0)
    )
    theirs = lines["lstm", "evotorch"]
    assert found.beside(theirs) == "nothing learnt; ours has in 2 s: at least 40 times fewer"
    assert found.verdict(theirs) == "at least 20: met"


def test_the_table_says_what_failed_and_what_was_not_reached(race, search):
    failed = race.marks.Search("lstm", "polystep", 0, 0, failure="vmap knows no lstm")
    found, _ = compared(race, search("lstm", "distsearch", workers=2, a900=100.0), failed)
    ours, theirs = race.table.markdown(found).splitlines()[2:]
    assert "distsearch, 2 cores | 90.0% |  | 100 | 90.0%: 100, 96.0%: – |" in ours
    assert ours.endswith("96.0% in 600 s: MISSED |")
    assert theirs.endswith("vmap knows no lstm |")
    rows = race.table.rows_of(found)
    assert set().union(*rows) <= set(race.table.COLUMNS)
    assert [row["seconds to them"] for row in rows if "accuracy" in row] == ["100.00 -"]


def test_entries_cycle_through_the_seeds_and_others_have_the_first_alone(race):
    given = SimpleNamespace(seeds=2, workers=2, seconds=None, peers=True, times=3.0, only="")
    staircase = race.rows.ROWS["staircase"]
    found = [(each.who, each.seed, each.seconds) for each in race.command.entries(given, [staircase])]
    own = staircase.own.seconds
    assert found == [
        ("distsearch", 0, own),
        ("layers", 0, own),
        ("evotorch", 0, 3 * own),
        ("polystep", 0, 3 * own),
        ("distsearch", 1, own),
        ("layers", 1, own),
    ]
    given.only = "polystep"
    (one,) = race.command.entries(given, [staircase])
    assert one.runner == "modules.run_polystep"


def test_time_to_an_accuracy_is_infinite_where_it_is_not_reached(race, search):
    _, lines = compared(race, search("lstm", "distsearch", a900=100.0))
    assert lines["lstm", "distsearch"].times == [100.0, inf]
