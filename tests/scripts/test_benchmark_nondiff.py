"""The comparison on networks without gradients, as far as it runs without torch."""

import shlex
import sys
from dataclasses import replace
from math import inf
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree
from zlib import crc32

import numpy as np
import pytest
from msgspec import structs

from distsearch.config import options
from distsearch.data import datasets
from distsearch.networks.kinds import network_of
from distsearch.objectives.model import design_of
from distsearch.search.assembly import assemble, plan_network
from distsearch.search.session import run_unrecorded
from distsearch.settings import declarations
from distsearch.strategies.node_perturbation import NodePerturbationSettings

FOLDER = Path(__file__).parents[2] / "scripts" / "benchmark_peers"
NAMES = (
    "spiking",
    "int8",
    "staircase",
    "attention",
    "attention-fashion",
    "mixture",
    "binary",
    "cnn",
    "spiking-cnn",
    "fashion",
)
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def race(monkeypatch):
    """The modules of the comparison, importable while a test runs."""
    monkeypatch.syspath_prepend(str(FOLDER))
    from nondiff import folders, marks, picture, records, rows, run_distsearch, table

    yield SimpleNamespace(
        folders=folders, marks=marks, picture=picture, records=records, rows=rows, ours=run_distsearch, table=table
    )
    for name in list(sys.modules):
        if name == "nondiff" or name.startswith("nondiff."):
            monkeypatch.delitem(sys.modules, name)


@pytest.fixture
def searches(race):
    """Two searches of ours, the first also on one worker for its speed, and one of polystep."""
    Mark, Search = race.marks.Mark, race.marks.Search
    slow = (Mark(10, 2.0, 0.80, 0.7, "a"), Mark(20, 4.0, 0.90, 0.4, "b"), Mark(25, 5.0, 0.91, 0.3, "c"))
    first = (Mark(10, 1.2, 0.80, 0.7, "a"), Mark(20, 2.2, 0.90, 0.4, "b"), Mark(40, 100.0, 0.97, 0.1, "d"))
    second = (Mark(10, 1.3, 0.85, 0.6, "e"), Mark(20, 2.0, 0.944, 0.2, "f"), Mark(40, 110.0, 0.96, 0.1, "g"))
    return [
        Search("staircase", "distsearch", 1, 0, slow),
        Search("staircase", "distsearch", 2, 0, first, Mark(40, 100.0, 0.976, 0.1, "d"), machine="Abacus, 2 cores"),
        Search("staircase", "distsearch", 2, 1, second, Mark(40, 110.0, 0.96, 0.1, "g"), machine="Abacus, 2 cores"),
        Search("staircase", "polystep", 0, 0, (Mark(1, 900.0, 0.18),), Mark(1, 900.0, 0.18), machine="Abacus, 2 cores"),
    ]


@pytest.mark.parametrize(
    "name",
    NAMES,
)
def test_each_row_is_planned(race, name):
    row = race.rows.ROWS[name]
    config = row.config("folder", 3, 2)
    config = structs.replace(config, network=structs.replace(config.network, loss="cross-entropy"))
    assert (config.data.source, config.strategy.seed, config.workers.count) == ("folder", 3, 2)
    network = network_of(design_of(config.network), (28, 28, 1), 20 if row.data == race.rows.BOTH else 10)
    plan = plan_network(config, network, 60_000)
    assert plan.config.strategy.name == "node-perturbation"
    own = {setting.flag for setting in declarations(NodePerturbationSettings)}
    known = own | {setting.flag for _, setting in options()}
    typed = shlex.split(row.command("a folder", 3, 2, 60.0))
    assert {word[2:] for word in typed if word.startswith("--")} <= known
    assert typed[typed.index("--data") + 1] == "a folder"


def test_the_table_of_rows_is_complete(race):
    rows = race.rows.ROWS
    assert tuple(rows) == NAMES
    for row in rows.values():
        assert list(row.aims) == sorted(row.aims, key=lambda aim: aim.seconds)
        assert all(0.5 < each.accuracy < 1 for each in (*row.aims, *row.published))
        assert all(each.hardware for each in row.published if each.seconds is not None)
    assert rows["attention-fashion"].polystep == 0.866
    assert rows["attention"].polystep is None


def test_marks_give_the_time_to_an_accuracy_and_the_accuracy_at_a_time(searches):
    first = searches[1]
    assert first.time_to(0.9) == 2.2
    assert first.time_to(0.971) == inf
    assert first.accuracy_at(1.0) == 0.0
    assert first.accuracy_at(99.0) == 0.90
    assert first.accuracy_at(100.0) == 0.976  # of the weights it chose, not those of its last mark


def test_lines_have_medians_and_verdicts(race, searches):
    ours, theirs = race.table.lines_of(searches)
    assert (ours.who, ours.workers, len(ours.searches)) == ("distsearch", 2, 2)
    assert ours.accuracy == pytest.approx(0.968)
    assert ours.seconds == pytest.approx(105.0)
    assert ours.to_polystep == pytest.approx(51.0)  # 0.943 after 100 s and 2 s
    assert theirs.accuracy == 0.18
    assert theirs.to_polystep == inf
    assert ours.verdicts == "97.5% in 180 s: MISSED"
    better = [replace(each, end=each.end and each.end._replace(accuracy=0.975)) for each in searches]
    assert race.table.lines_of(better)[0].verdicts == "97.5% in 180 s: met"


def test_the_speed_of_two_workers_is_measured_between_shared_marks(race, searches):
    (found,) = race.table.speeds(searches).values()
    assert found.ratio == pytest.approx(2.0)  # 2 s and 1 s from round 10 to 20
    assert found.same
    one, two, *_ = searches
    other = replace(two, marks=(two.marks[0], two.marks[1]._replace(weights="z")))
    assert not race.marks.speed(one, other).same
    assert race.marks.speed(one, replace(two, marks=two.marks[:1])) is None


def test_marks_are_spaced_at_equal_ratios(race):
    due, rounds = 0.0, []
    for done in range(1, 1001):
        is_due, due = race.marks.mark_due(due, done, 10)
        rounds += [done] if is_due else []
    assert rounds[:5] == [10, 12, 15, 17, 20]
    assert 24 <= len(rounds) <= 28


def test_searches_are_written_read_back_and_replaced(race, searches, tmp_path):
    file = tmp_path / "marks.csv"
    assert race.records.read_searches(file) == []
    failed = race.marks.Search("cnn", "distsearch", 2, 0, failure="no layer conv", command="distsearch run")
    race.records.write_searches(file, [*searches, failed])
    found = race.records.read_searches(file)
    assert found == [*searches, failed]
    again = replace(searches[2], end=searches[2].end._replace(accuracy=0.99))
    look = replace(searches[1], marks=(), end=None)
    merged = race.records.merged(found, [again, look])
    assert [each for each in merged if each.row == "staircase"] == [searches[0], searches[1], again, searches[3]]
    assert race.records.merged([look], [searches[1]]) == [searches[1]]


def test_the_picture_is_an_svg_with_a_panel_per_row(race, searches):
    other = [replace(each, row="cnn") for each in searches[1:2]]
    text = race.picture.picture(race.table.lines_of([*searches, *other]))
    root = ElementTree.fromstring(text)  # noqa: S314  (our own)
    assert root.tag == f"{SVG}svg"
    panels = root.findall(f"{SVG}g")
    said = [[each.text for each in panel.iter(f"{SVG}text")] for panel in panels]
    assert [words[0] for words in said] == [race.rows.ROWS[name].title for name in ("staircase", "cnn")]
    assert "distsearch, 2 cores: 96.8% in 105 s" in said[0]
    assert "PolyStep, RTX 5090: 94.3% in 850 s" in said[0]
    assert "EvoJAX, a GPU: 98.0% in 300 s" in said[1]
    assert any("Abacus, 2 cores" in each.text for each in root.findall(f"{SVG}text"))
    curves = [each.get("points") for each in panels[0].findall(f"{SVG}polyline")]
    assert len(curves) == 2  # polystep's is below the panel
    places = [tuple(map(float, pair.split(","))) for pair in curves[0].split()]
    assert places == sorted(places)  # later is to the right
    assert places[-1][1] < places[0][1]  # and better is higher


def write_images(folder, labels, shade):
    """A folder of IDX files whose training images are all of one shade and whose test images are black."""
    folder.mkdir()
    for name, classes, value in (("train", labels, shade), ("t10k", labels[:10], 0)):
        images = np.full((len(classes), 28, 28), value, np.uint8)
        for kind, array in (("images-idx3", images), ("labels-idx1", np.array(classes, np.uint8))):
            header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
            (folder / f"{name}-{kind}-ubyte").write_bytes(header + array.tobytes())
    return str(folder)


def test_two_data_sets_are_joined_and_the_last_tenth_validates(race, tmp_path):
    labels = [number % 10 for number in range(100)]
    sources = {
        "mnist": write_images(tmp_path / "one", labels, 51),
        "fashion-mnist": write_images(tmp_path / "two", labels[::-1], 255),
    }
    assert race.folders.folder_of("mnist", sources, tmp_path, False) == sources["mnist"]
    both = datasets.load(race.folders.folder_of(race.rows.BOTH, sources, tmp_path, False), numbers=False)
    assert both.train.features.shape == (200, 784)
    assert both.train.targets[:4].tolist() == [0, 19, 1, 18]
    assert both.train.features[:2, 0] == pytest.approx([0.2, 1.0])
    assert both.test.targets.tolist()[:2] == [0, 19]
    folder = race.folders.folder_of(race.rows.BOTH, sources, tmp_path, True)
    validated = datasets.load(folder, numbers=False)
    assert (len(validated.train.targets), len(validated.test.targets)) == (180, 20)
    assert validated.test.targets.tolist() == both.train.targets[180:].tolist()
    assert validated.test.features.tobytes() == both.train.features[180:].tobytes()
    assert race.folders.folder_of(race.rows.BOTH, sources, tmp_path, True) == folder


def test_our_search_is_the_program_s_own(race, tmp_path, monkeypatch):
    labels = [number % 10 for number in range(40)]
    folder = write_images(tmp_path / "one", labels, 128)
    row = race.rows.ROWS["staircase"]
    row = replace(row, flags={**row.flags, "layers": "4,4", "rounds": 6, "measure_every": 6, "measure_first": 1})
    monkeypatch.setitem(race.rows.ROWS, "staircase", row)
    found = race.ours.search({"row": "staircase", "folder": folder, "seed": 2, "workers": 0, "seconds": 1e9})
    program = run_unrecorded(assemble(row.config(folder, 2, 0)))
    marks = found["marks"]
    assert [mark.rounds for mark in marks] == [1, 2, 3, 4, 5, 6]
    assert marks[-1].weights == f"{crc32(program.state.average):08x}"
    assert [mark.seconds for mark in marks] == sorted(mark.seconds for mark in marks)
    lowest = min(marks, key=lambda mark: mark.loss)
    assert (found["end"].weights, found["end"].loss) == (lowest.weights, pytest.approx(lowest.loss))
