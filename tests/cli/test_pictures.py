"""Pictures, reports and conveniences of the command line, as a user meets them."""

import json

import pytest
from programs import SHORT, on_terminal, ran, refused, succeeded
from pyarrow import parquet

from distsearch.cli.pictures import WHAT
from distsearch.reports.catalogue import NAMES

RUN = ("run", *SHORT, "--layers", "4")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("work")
    succeeded(*RUN, "--data", "spiral", "--name", "one", cwd=path)
    (path / "price.csv").write_text("a,b,price\n" + "".join(f"{x},{x % 3},{x / 9}\n" for x in range(9)))
    named = ("--data", "price.csv", "--loss", "MSE", "--activation", "ReLU", "--name", "price")
    succeeded(*RUN, *named, cwd=path)
    return path


def test_common_names_are_stored_under_ours(folder):
    kept = json.loads(succeeded("show", "price", "--json", cwd=folder).stdout)["config"]["network"]
    assert (kept["loss"], kept["activation"]) == ("mean-squared-error", ["relu"])


def test_a_piped_plot_is_plain_and_ascii_where_utf_8_is_missing(folder):
    done = succeeded("plot", "one", cwd=folder)
    assert "\x1b" not in done.stdout
    assert "Best loss" in done.stdout
    ascii_only = ran("plot", "one", "price", "--what", "accepted", cwd=folder, variables={"LC_ALL": "C"})
    assert ascii_only.returncode == 0
    assert ascii_only.stdout.isascii()


def test_the_help_names_the_existing_figures():
    assert set(WHAT) == set(NAMES)


def test_the_file_name_decides_the_format_of_a_plot(folder, tmp_path):
    succeeded("plot", "one", "--what", "boundary", "--to", str(tmp_path / "b.png"), cwd=folder)
    assert (tmp_path / "b.png").read_bytes().startswith(b"\x89PNG")


REFUSALS = {
    ("plot", "one", "--what", "los"): "unknown figure 'los': did you mean 'loss'",
    ("plot", "price", "--what", "confusion"): "price learns numbers, not classes",
    ("plot", "one", "--to", "a.jpg"): "--to: expected a file ending in .png, .svg or .pdf, got 'a.jpg'",
    ("plot", "one", "--animate", "a.mp4"): "--animate: expected a file ending in .gif, got 'a.mp4'",
    ("report", "one", "--to", "nowhere/a.html"): "cannot write nowhere/a.html",
    ("report", "on", "--to", "a.html"): "unknown run 'on': did you mean 'one'",
    ("remove", "one"): "expected --yes",
    ("rename", "one", "price"): "price already exists",
    ("list", "--sort", "los"): "did you mean 'loss'",
}


@pytest.mark.parametrize("arguments", REFUSALS, ids=lambda words: " ".join(words[:4:2]))
def test_impossible_pictures_are_refused_in_a_sentence(folder, arguments):
    assert REFUSALS[arguments] in refused(*arguments, cwd=folder)


def test_quiet_prints_only_warnings(tmp_path):
    done = succeeded(*RUN, "--quiet", "--strategy", "snes", cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("", "")
    (tmp_path / "aside.csv").write_text("a,b,c\n" + "".join(f"{1 + x / 9},{x / 9},{x % 2}\n" for x in range(9)))
    warned = succeeded(*RUN, "-q", "--data", "aside.csv", "--loss", "classification-error", cwd=tmp_path)
    assert "trains best on centred features" in warned.stderr
    assert len(warned.stderr.splitlines()) == 1


def test_live_draws_the_boundary_on_a_terminal_and_prints_lines_elsewhere(tmp_path):
    piped = succeeded(*RUN, "--data", "spiral", "--live", "--name", "piped", cwd=tmp_path)
    assert "--live needs a terminal" in piped.stderr
    shown = on_terminal(*RUN, "--data", "spiral", "--live", "--name", "shown", cwd=tmp_path)
    assert "▀" in shown
    assert "x0 to the right" in shown
    piped_weights, shown_weights = (tmp_path / "runs" / name / "best.safetensors" for name in ("piped", "shown"))
    assert piped_weights.read_bytes() == shown_weights.read_bytes()


def test_remove_asks_on_a_terminal(tmp_path):
    succeeded(*RUN, "--name", "a", cwd=tmp_path)
    assert "remove the run runs/a? [y/N]" in on_terminal("remove", "a", cwd=tmp_path, typed=b"n\n")
    assert (tmp_path / "runs" / "a").is_dir()
    assert "removed the run runs/a" in on_terminal("remove", "a", cwd=tmp_path, typed=b"y\n")
    assert list((tmp_path / "runs").iterdir()) == []


def test_built_in_data_stands_in_for_a_file(folder):
    own = succeeded("evaluate", "one", "--json", cwd=folder).stdout
    named = succeeded("evaluate", "one", "--data", "spiral", "--json", cwd=folder).stdout
    assert json.loads(named)["spiral"] == json.loads(own)["train"]
    assert len(succeeded("predict", "one", "spiral", cwd=folder).stdout.splitlines()) == 301


def test_data_that_has_moved_is_handed_to_a_plot_and_a_report(folder, tmp_path):
    away = tmp_path / "away"
    away.mkdir()
    succeeded(
        *RUN, "--data", str(folder / "price.csv"), "--loss", "mse", "--name", "moving", "--runs", "runs", cwd=away
    )
    moved = tmp_path / "moved.csv"
    (folder / "price.csv").rename(moved)
    try:
        assert "say where it is now with --data FILE" in refused("plot", "moving", "--what", "residuals", cwd=away)
        succeeded("plot", "moving", "--what", "residuals", "--data", str(moved), cwd=away)
        succeeded("report", "moving", "--data", str(moved), "--to", "moving.html", cwd=away)
        assert "Predictions of moving" in (away / "moving.html").read_text()
    finally:
        moved.rename(folder / "price.csv")


def test_of_a_table_without_rows_the_predictions_are_a_table_without_rows(folder, tmp_path):
    (tmp_path / "none.csv").write_text("a,b\n")
    given = ("predict", str(folder / "runs" / "price"), "none.csv")
    assert succeeded(*given, cwd=tmp_path).stdout == "price\n"
    assert succeeded(*given, "--format", "jsonl", cwd=tmp_path).stdout == ""
    succeeded(*given, "--output", "none.parquet", cwd=tmp_path)
    assert parquet.read_table(tmp_path / "none.parquet").shape == (0, 1)
