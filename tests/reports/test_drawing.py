"""Figures drawn in the terminal and as files."""

import io
import re

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from distsearch.errors import SettingError
from distsearch.reports import animation
from distsearch.reports.animation import animated
from distsearch.reports.catalogue import NAMES, figure
from distsearch.reports.drawing import drawn
from distsearch.reports.figures import Boundary, Confusion, Curves, Line
from distsearch.reports.packages import imported
from distsearch.reports.terminal import Terminal

FITS = {"residuals": "price"}


def shown(terminal: Terminal, what, width: int) -> str:
    console = Console(width=width, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(terminal.drawn(what))
    return console.file.getvalue()


@pytest.mark.parametrize("what", NAMES)
@pytest.mark.parametrize("width", [60, 80])
def test_a_figure_fits_the_terminal(subjects, what, width):
    each = figure(what, [subjects[FITS.get(what, "nodes")]])
    lines = shown(Terminal(width, coloured=False, utf8=True), each, width).splitlines()
    assert len(lines) > 5
    assert max(len(re.sub(r"\x1b\[[0-9;]*m", "", text)) for text in lines) <= width


@pytest.mark.parametrize("what", NAMES)
def test_without_utf8_only_ascii_is_used(subjects, what):
    each = figure(what, [subjects[FITS.get(what, "nodes")]])
    assert shown(Terminal(80, coloured=False, utf8=False), each, 80).isascii()


def test_no_colour_is_used_where_there_is_none(subjects):
    for what in ("loss", "boundary", "confusion"):
        text = shown(Terminal(80, coloured=False, utf8=True), figure(what, [subjects["climb0"]]), 80)
        assert "38;2;" not in text
        assert "48;2;" not in text
        coloured = shown(Terminal(80, coloured=True, utf8=True), figure(what, [subjects["climb0"]]), 80)
        assert "8;2;" in coloured


def test_falling_values_are_drawn_as_falling_lines():
    falling = Curves("t", "x", "y", (Line("a", np.arange(50.0), np.arange(50.0)[::-1]),))
    rows = [text for text in shown(Terminal(60, coloured=False, utf8=False), falling, 60).splitlines() if "*" in text]
    places = [text.index("*") for text in rows]
    assert places == sorted(places)
    assert len(rows) > 8


def test_names_are_at_the_ends_of_lines_and_never_overlap():
    ends = [Line(name, np.arange(9.0), np.full(9, 1.0)) for name in ("one", "two", "three")]
    text = shown(Terminal(60, coloured=False, utf8=True), Curves("t", "x", "y", tuple(ends)), 60)
    rows = [next(row for row in text.splitlines() if name in row) for name in ("one", "two", "three")]
    assert len(set(rows)) == 3


def test_a_boundary_is_drawn_with_letters_for_its_classes():
    plane = Boundary(
        "t", "a", "b", np.linspace(0, 1, 20), np.linspace(0, 1, 20), np.tile(np.arange(20) // 10, (20, 1)) * 1.0,
        np.ones((20, 20)), np.array([[1.0, 1.0]]), np.array([0.0]), ("no", "yes"),
    )  # fmt: skip
    rows = shown(Terminal(60, coloured=False, utf8=False), plane, 60).splitlines()
    assert rows[1].startswith("aaa")
    assert rows[1].endswith("bbA")  # an example of the first class, at the top right
    assert any("a no  b yes" in row for row in rows)


def test_the_key_of_a_boundary_ends_its_lines_between_two_classes(thirty_classes):
    rows = shown(Terminal(60, coloured=False, utf8=True), thirty_classes, 60).splitlines()
    text = "\n".join(rows)
    assert all(f"{'abcdefghijklmnopqrstuvwxyzabcd'[n]} class {n}" in text for n in range(30))
    assert max(map(len, rows)) <= 60 + len("\x1b[2m\x1b[0m")


def test_more_classes_than_colours_have_their_names_in_their_regions(thirty_classes):
    content = drawn(thirty_classes, "svg").decode()
    assert all(f">class {n}<" in content for n in range(30))
    assert "a" * 40 not in content, "the name of an axis is no longer than the axis"


def test_the_axes_of_curves_have_their_whole_names(subjects):
    each = figure("loss", [subjects["climb0"], subjects["nodes"]])
    assert each.x_label == "forward passes over the training examples"
    assert each.x_label.encode() in drawn(each, "svg")
    residuals = drawn(figure("residuals", [subjects["pair"]]), "svg")
    assert b">predicted, in standard deviations<" in residuals


def test_an_axis_of_rounds_has_whole_numbers():
    one = Curves("t", "round", "loss", (Line("one", np.ones(1), np.ones(1), style="dots"),))
    ticks = re.search(r'id="matplotlib.axis_1".*?id="matplotlib.axis_2"', drawn(one, "svg").decode(), re.DOTALL)[0]
    assert re.findall(r">(\d[\d.]*)</text>", ticks) == ["1"]


def test_with_very_many_classes_the_most_frequent_mistakes_are_listed():
    counts = np.diag(np.arange(100))
    counts[3, 7] = 12
    text = shown(
        Terminal(80, coloured=False, utf8=True), Confusion("t", tuple(f"class {n}" for n in range(100)), counts), 80
    )
    assert re.search(r"class 3 +class 7 +12", text)


def test_a_name_that_is_cut_in_a_table_of_confusion_says_so():
    figure = Confusion("t", ("a long name", "short"), np.eye(2, dtype=np.int64))
    rows = shown(Terminal(60, coloured=False, utf8=True), figure, 60).splitlines()
    assert "a long n…" in rows[1]
    assert "short" in rows[1]


def test_control_characters_in_names_do_not_reach_the_terminal(subjects):
    odd = Curves("t\x1b]0;x\x07", "x\x1b[31m", "y", (Line("a\x1b[31m", np.arange(3.0), np.arange(3.0)),))
    text = shown(Terminal(60, coloured=False, utf8=True), odd, 60)
    assert "\x1b]0" not in text
    assert "\x1b[31m" not in text


@pytest.mark.parametrize(("form", "begins"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_a_figure_is_written_to_the_same_bytes_every_time(subjects, form, begins):
    each = figure("accuracy", [subjects["nodes"]])
    content = drawn(each, form)
    assert content.startswith(begins)
    assert form == "pdf" or content == drawn(each, form)


@pytest.mark.parametrize("what", ["loss", "accepted", "boundary", "confusion", "weights", "timeline"])
def test_every_kind_of_figure_is_drawn(subjects, what):
    picture = Image.open(io.BytesIO(drawn(figure(what, [subjects["climb0"]]), "png")))
    assert picture.size == (1152, 704)
    assert len(picture.convert("RGB").getcolors(1_000_000)) > 20


@pytest.mark.parametrize("form", ["png", "svg"])
def test_a_name_of_any_length_leaves_room_for_the_plot(form):
    x, name = np.arange(3.0), "n" * 200
    for title in (name, ""):
        content = drawn(Curves(title, "x", "y", (Line(name, x, x), Line("short", x, 2 * x))), form)
        assert form == "png" or (b"n" * 12 + b".." in content and b"n" * 70 not in content)


def test_a_low_terminal_has_a_low_plane_whose_places_alike_are_drawn_at_once(subjects):
    plane = figure("boundary", [subjects["climb0"]])
    low = shown(Terminal(80, coloured=True, utf8=True, height=8), plane, 80)
    assert low.count("▀") == 8 * 78
    assert 8 <= low.count("▀\x1b") < 8 * 78 / 2


def test_names_of_columns_and_runs_are_not_read_as_formulas(subjects):
    odd = Curves("$a$ 漢字", "$x", "y_{1}", (Line("$\\frac", np.arange(3.0), np.arange(3.0)),))
    assert b"frac" in drawn(odd, "svg")


def test_the_animation_has_a_frame_per_round_and_the_boundary_moves(subjects, monkeypatch):
    monkeypatch.setattr(animation, "FRAMES", 3)
    film = Image.open(io.BytesIO(animated(subjects["climb0"])))
    assert film.n_frames == 3
    frames = []
    for number in range(3):
        film.seek(number)
        frames.append(np.asarray(film.convert("RGB")).copy())
    assert not np.array_equal(frames[0], frames[2])
    for frame in frames:
        edges = np.concatenate([frame[0], frame[-1], frame[:, 0], frame[:, -1]])
        assert (edges == edges[0]).all(), "no label is cut off"


def test_the_animation_says_what_its_colours_mean_the_same_in_all_pictures(subjects, monkeypatch):
    monkeypatch.setattr(animation, "FRAMES", 2)
    axes_seen, spans, draw = [], [], animation.draw_boundary

    def drawing(figure, axes, key):
        spans.append(figure.span)
        axes_seen.append(axes)
        draw(figure, axes, key=key)

    monkeypatch.setattr(animation, "draw_boundary", drawing)
    animated(subjects["climb0"])
    (key,) = axes_seen[0].figure.legends
    assert [text.get_text() for text in key.get_texts()] == ["0", "1", "2"]
    spans.clear()
    animated(subjects["price"])
    assert spans[0] == spans[1]
    assert [axes.get_ylabel() for axes in axes_seen[-1].figure.axes] == ["noise", "best loss", "price"]


def test_a_missing_package_is_named_with_its_extra():
    with pytest.raises(
        SettingError, match=r'plots need nowhere, which is not installed; type pip install "distsearch\[plots\]"'
    ):
        imported("nowhere.module")
