"""The comparison with other libraries, as far as it runs without them."""

import csv
import io
import sys
from math import inf
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from distsearch.candidates.base import Dense
from distsearch.search.assembly import assemble
from distsearch.search.data import read_data

FOLDER = Path(__file__).parents[2] / "scripts" / "benchmark_peers"


@pytest.fixture
def race(monkeypatch):
    """The modules of the comparison, importable while a test runs."""
    monkeypatch.syspath_prepend(str(FOLDER))
    names = {path.stem for path in FOLDER.glob("*.py")}
    import entries
    import outcomes
    import report
    import run_distsearch
    import tasks

    yield {"entries": entries, "outcomes": outcomes, "report": report, "ours": run_distsearch, "tasks": tasks}
    for name in names & set(sys.modules) - {"__main__"}:
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.parametrize("name", ["chapter", "spiral", "digits"])
def test_peers_are_scored_with_our_loss_from_our_start(race, name):
    task = race["tasks"].TASKS[name]
    problem = race["tasks"].Problem.of(task, "", 3)
    prepared = assemble(task.config("", seed=3, strategy="hill-climb"))
    assert problem.start.tobytes() == prepared.plan.first.center.tobytes()
    assert problem.x.tobytes() == read_data(prepared.config).train.features.tobytes()
    start = prepared.plan.first.center
    weights = start + 0.1 * np.random.default_rng(0).standard_normal((5, len(start)), np.float32)
    expected = prepared.objective.losses(Dense(weights), 0)
    assert problem.losses(weights) == pytest.approx(expected, rel=1e-5)
    assert problem.losses_on_all_cores(weights) == pytest.approx(expected, rel=1e-5)
    accuracy = prepared.objective.measure(weights[0])
    measured = accuracy.accuracy if accuracy.test_accuracy is None else accuracy.test_accuracy
    assert problem.test_accuracy(weights[0]) == pytest.approx(measured)


def test_our_search_reaches_the_target_and_its_trajectory_is_kept(race):
    tasks = race["tasks"]
    problem = tasks.Problem.of(tasks.TASKS["chapter"], "", 0)
    own = tasks.Race(problem, 20)
    race["ours"].search(problem, {"strategy": "hill-climb", "workers": 0}, own, "")
    assert own.reached == pytest.approx(own.points[-1][0])
    assert own.final <= 0.205
    assert own.points[-1][1] == 32 * len(own.points)


def test_the_clock_stops_while_measuring_and_a_false_loss_is_detected(race):
    tasks = race["tasks"]
    problem = tasks.Problem.of(tasks.TASKS["chapter"], "", 0)
    own = tasks.Race(problem, 20)
    own.begin()
    before = own.seconds
    with own.standing():
        problem.losses(np.repeat(problem.start[np.newaxis], 200, axis=0))
    assert own.seconds - before < own._stood
    assert not own.record(1, 1.0, lambda: problem.start)
    with pytest.raises(AssertionError, match="a loss of 0.1 was reported, but it is 1.09"):
        own.record(2, 0.1, lambda: problem.start)


def test_every_entry_has_a_task_and_a_file_that_runs_it(race):
    for entry in race["entries"].entries():
        assert entry.task in race["tasks"].TASKS
        assert (FOLDER / f"run_{entry.kind}.py").exists()
    assert {entry.task for entry in race["entries"].entries() if entry.ours} == set(race["tasks"].TASKS)


@pytest.fixture
def lines(race):
    """Lines of two searches of ours and two of a peer, one of which reached the target in 4 s."""
    entries, outcomes, task = race["entries"], race["outcomes"], race["tasks"].TASKS["digits"]
    machine = outcomes.Machine(flops=1e9, exponentials=1e9)

    def line(kind, *seconds):
        entry = entries.Entry("digits", kind, kind, {"workers": 0} if kind == "distsearch" else {})
        searches = [
            outcomes.Outcome(entry, seed, each, 0.05, [[0.5, 100, 1.0]], [[0.5, 100], [1.5, 600]], 1_000_000, 0)
            for seed, each in enumerate(seconds)
        ]
        return outcomes.line(task, searches, machine)

    return [line("distsearch", 0.5, 0.7, 0.9), line("evosax", 4.0, None, 3.0)]


def test_a_line_has_the_median_and_a_missed_target_has_no_time(lines):
    ours, peer = lines
    assert (ours.seconds, ours.fastest, ours.slowest, ours.reached) == (0.7, 0.5, 0.9, 3)
    assert (peer.seconds, peer.slowest, peer.reached) == (4.0, inf, 2)
    assert ours.microseconds == pytest.approx(2000)
    assert ours.share == pytest.approx(0.5)  # 1000 µs would do on one core
    assert peer.share == pytest.approx(0.25)  # 500 µs on two


def test_the_verdict_takes_the_best_of_both(race, lines):
    verdict = race["outcomes"].verdict(lines[0].task, lines)
    assert verdict.ratio == pytest.approx(0.7 / 4.0)
    assert verdict.text == "met"
    assert race["outcomes"].verdict(lines[0].task, lines[:1]).text == ""


def test_tables_and_files_are_written(race, lines, tmp_path):
    report = race["report"]
    console = Console(width=180, file=io.StringIO())
    verdicts = [race["outcomes"].verdict(lines[0].task, lines)]
    console.print(*report.tables(lines), report.verdicts_table(verdicts))
    text = console.file.getvalue()
    assert "2 of 3" in text
    assert "0.7 s, distsearch" in text
    report.write_lines(tmp_path / "peers.csv", lines)
    rows = list(csv.DictReader((tmp_path / "peers.csv").read_text().splitlines()))
    assert [row["slowest"] for row in rows] == ["0.9", ""]


def test_a_long_trajectory_is_thinned_at_equal_ratios_keeping_its_ends(race):
    points = [[0.001 * number, number, 1.0] for number in range(1, 10_001)]
    kept = race["report"].thinned(points)
    assert kept[0] == points[0]
    assert kept[-1] == points[-1]
    assert 100 < len(kept) <= 401


def test_the_picture_has_a_bar_for_each_race_to_a_target_and_a_colour_for_each_library(race):
    import bars
    import libraries

    table = FOLDER.parent / "peers.csv"
    found = bars.bars_of(table)
    with table.open() as file:
        rows = [row for row in csv.DictReader(file) if row["target"] != "candidates a second"]
    assert sorted(bar.who for bar in found) == sorted(row["who"] for row in rows)
    drawn = bars.picture(found)
    assert drawn.count("stroke-dasharray") == sum(not row["seconds"] for row in rows)
    assert {libraries.library_of(row["who"]) for row in rows} == set(libraries.COLOURS) == set(libraries.DARK_COLOURS)


def test_the_picture_is_that_of_its_tables_and_dark_on_a_dark_page(race):
    import bars
    import courses
    import libraries

    kept = FOLDER.parent
    drawn = (kept / "peers.svg").read_text("utf-8")
    shown = courses.courses_of(kept / "peers-courses.csv")
    assert drawn == bars.picture(bars.bars_of(kept / "peers.csv"), shown)
    assert {each.task for each in shown} == {"chapter", "spiral", "digits"}
    for light, dark in libraries.DARK.items():
        assert f"[fill='{light}']{{fill:{dark}}}" in drawn


def test_no_name_below_the_lines_is_crossed_by_a_stem_or_by_another(race):
    import courses

    stems = [(100.0, "hill-climb"), (110.0, "GA"), (300.0, "SNES"), (302.0, "torch")]
    assert courses.levels(stems) == [1, 0, 1, 0]
    assert courses.levels([(100.0, "evolution-strategy"), *stems[1:3]]) == [1, 0, 0]
    assert courses.levels([(100.0, "a"), (101.0, "b"), (102.0, "c")]) == [2, 1, 0]


def test_the_picture_shows_the_course_of_the_median_search_of_each_entry(race, tmp_path):
    import bars
    import courses

    outcomes, entry = race["outcomes"], race["entries"].Entry("digits", "evosax SNES", "evosax", {})
    failed = race["entries"].Entry("digits", "pygad GA", "pygad", {})
    times = (1.0, 9.0, 4.0)
    searches = [
        outcomes.Outcome(entry, seed, end, 0.04, [[0.1, 10, 2.0], [0.5, 20, 2.5], [end, 30, 0.04]])
        for seed, end in enumerate(times)
    ]
    searches.append(outcomes.Outcome(failed, 0, failure="No module named 'pygad'"))
    machine, task = outcomes.Machine(flops=1e9, exponentials=1e9), race["tasks"].TASKS["digits"]
    lines = [outcomes.line(task, searches[:3], machine), outcomes.line(task, searches[3:], machine)]
    race["report"].write_lines(tmp_path / "peers.csv", lines)
    race["report"].write_points(tmp_path / "trajectories.csv", searches)
    (shown,) = courses.courses_of(tmp_path / "trajectories.csv")
    assert (shown.seconds, shown.values) == ((0.1, 0.5, 4.0), (2.0, 2.0, 0.04))
    drawn = bars.picture(bars.bars_of(tmp_path / "peers.csv"), [shown])
    assert drawn.count("<polyline") == 1
    assert "GA" not in drawn
    assert drawn.count(bars.COLOURS["evosax"]) >= 4  # key, bar, line and name
