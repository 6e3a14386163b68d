"""The list of runs: the columns that fit, their order, filters; and options as other programs name them."""

import sys
from itertools import pairwise

import pytest
from rich.cells import cell_len
from typer.main import get_command

from distsearch import config
from distsearch.cli import aliases, lists
from distsearch.cli.app import application
from distsearch.cli.lists import in_order, runs_lines, those_that_fit
from distsearch.cli.lookup import matching, path_of
from distsearch.errors import RunError, SettingError, UserError, unknown
from distsearch.runs.summaries import Summary
from distsearch.settings import declarations
from distsearch.strategies import STRATEGIES


def run(name: str, **known) -> Summary:
    given = {"status": "done", "data": "spiral", "strategy": "hill-climb", "seed": 0, "step": 0.05, "rounds": 1000}
    given |= {"date": "2026-01-01T10:00:00+00:00", "seconds": 3.25, "loss": 0.123456, "accuracy": 0.5}
    config = {"network": {"layers": [64, 32]}, "settings": {"population": 32}}
    return Summary(run=name, path=f"runs/{name}", **{"config": config, **given, **known})


RUNS = [
    run("first", loss=0.5),
    run("漢字-snes-1", strategy="snes", loss=1.5e-7, test_accuracy=0.9125, seed=18446744073709551615),
    run("a-very-long-name-of-a-run-on-some-data", status="running", loss=None, accuracy=None, data="x" * 60),
]


@pytest.mark.parametrize("width", [40, 60, 80, 200])
@pytest.mark.parametrize("letter", ["x", "漢"])
def test_a_name_of_any_length_leaves_room_for_the_figures(width, letter):
    long = run(f"first-{letter * 60}-last")
    lines = runs_lines([*RUNS[:2], long], width)
    assert max(map(cell_len, lines)) <= width
    assert lines[3].startswith("first-")
    assert "-last  done" in lines[3]
    assert "0.1235" in lines[3]
    assert long.run in runs_lines([long], sys.maxsize)[1]


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
def test_a_list_fits_the_terminal_and_cuts_no_number(width):
    lines = runs_lines(RUNS, width)
    assert max(map(cell_len, lines)) <= width
    for text in ("first", "漢字-snes-1", "a-very-long-name-of-a-run-on-some-data", "running", "0.5", "1.5e-07"):
        assert any(text in line for line in lines)
    heads = lines[0].split()
    assert heads == [each.name for each in lists.COLUMNS if each.name in heads]
    if "seed" in heads:
        assert any("18446744073709551615" in line for line in lines)


def test_columns_are_dropped_in_a_fixed_order():
    kept = [set(runs_lines(RUNS, width)[0].split()) for width in range(40, 260)]
    for narrow, wide in pairwise(kept):
        assert narrow <= wide
    for gone in (set(lists.LEAVING) - heads for heads in kept):
        assert gone == set(lists.LEAVING[: len(gone)])


def test_control_characters_in_names_do_not_reach_the_terminal():
    assert "\x1b" not in "".join(runs_lines([run("a\x1b[31m")], 80))


def test_runs_are_sorted_by_any_column_or_setting_with_missing_values_last():
    assert [each.run[0] for each in in_order(RUNS, "loss")] == ["漢", "f", "a"]
    assert [each.run[0] for each in in_order(RUNS, "-loss")] == ["f", "漢", "a"]
    assert [each.run[0] for each in in_order(RUNS, "strategy")] == ["f", "a", "漢"]
    with pytest.raises(SettingError, match="--sort: unknown column 'los': did you mean 'loss'"):
        in_order(RUNS, "los")


CONDITIONS = {
    "strategy=snes": "漢",
    "strategy!=snes": "fa",
    "loss<0.1": "漢",
    "loss>=0.5": "f",
    "loss<=0.5 strategy=hill-climb": "f",
    "run=a-very*": "a",
    "run~NAME": "a",
    "layers=64,32": "f漢a",
    "population>32": "",
    "status=running": "a",
    "test-accuracy>0.9": "漢",
    "strategy=nobody test-accuracy>0.9": "",
    "strategy=hill-climb test-accuracy>0.9": "",
    "": "f漢a",
}


@pytest.mark.parametrize("conditions", CONDITIONS)
def test_runs_are_filtered_by_conditions(conditions):
    assert "".join(each.run[0] for each in those_that_fit(RUNS, conditions)) == CONDITIONS[conditions]


@pytest.mark.parametrize(
    ("conditions", "sentence"),
    [
        ("loss < 0.1", "without spaces around the sign, got 'loss'"),
        ("lss<0.1", "unknown column 'lss': did you mean 'loss'"),
        ("loss<", "expected a value to compare with after loss<, as in loss<0.1, got ''"),
        ("rounds>=many", "expected a value to compare with after rounds>=, as in loss<0.1, got 'many'"),
        ("strategy='snes", "expected conditions such as strategy=snes"),
    ],
)
def test_an_invalid_condition_is_refused(conditions, sentence):
    with pytest.raises(SettingError, match=sentence):
        those_that_fit(RUNS, conditions)


def test_an_unknown_name_among_many_is_answered_with_the_three_nearest():
    names = [f"spiral-snes-{number}" for number in range(201)]
    sentence = unknown("run", "spiral-snes-200x", names)
    assert sentence == (
        "unknown run 'spiral-snes-200x': did you mean 'spiral-snes-200', 'spiral-snes-20' or 'spiral-snes-120'? "
        "there are 201"
    )
    assert unknown("run", "qqq", names) == "unknown run 'qqq': there are 201"


def test_patterns_name_all_runs_that_fit_and_names_are_taken_as_they_are(tmp_path):
    for name in ("climb-1", "climb-2", "snes-1", "odd[1]"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").touch()
    assert matching(["climb-*", "snes-?", "climb-2"], str(tmp_path)) == ["climb-1", "climb-2", "snes-1"]
    assert matching(["odd[1]", "other"], str(tmp_path)) == ["odd[1]", "other"]
    with pytest.raises(RunError, match=r"no run in .* fits 'x\*'; `distsearch list` shows them"):
        matching(["x*"], str(tmp_path))
    with pytest.raises(RunError, match="unknown run 'q': expected one of climb-1, climb-2, odd"):
        path_of("q", str(tmp_path))


def options_of(command: str) -> set[str]:
    found = get_command(application([command])).commands[command]
    return {option for parameter in found.params for option in parameter.opts}


def test_options_of_other_programs_are_understood(capsys):
    line = ["run", "--epochs", "5", "--lr=0.1", "--data", "--epochs"]
    assert aliases.understood(line)[:4] == ["run", "--rounds", "5", "--rate=0.1"]
    assert capsys.readouterr().err.splitlines() == ["--epochs is called --rounds here", "--lr is called --rate here"]
    assert aliases.understood(["show", "--epochs"]) == ["show", "--epochs"]
    assert aliases.understood(["submit", "--timeout", "3", "--", "run", "--epochs", "2"]) == [
        *("submit", "--timeout", "3", "--", "run", "--rounds", "2"),
    ]
    ours = {f"--{setting.flag}" for _, setting in config.options()}
    ours |= {f"--{each.flag}" for name in STRATEGIES.own for each in declarations(STRATEGIES.own[name].Settings)}
    assert set(aliases.OPTIONS.values()) <= ours | {"--folds"}
    others = {option for name in aliases.SETTINGS for option in options_of(name)}
    assert not (ours | others) & {*aliases.OPTIONS, *aliases.WITHOUT}
    assert not {*aliases.OPTIONS} & {*aliases.WITHOUT}
    with pytest.raises(UserError, match=r"--gpu: only a torch module \(--model\) computes on a GPU, with --dev"):
        aliases.understood(["run", "--gpu", "0"])
    with pytest.raises(UserError, match="^--early-stopping: --patience, a number of rounds, ends"):
        aliases.understood(["run", "--early-stopping=yes"])
    values = ["run", "--device", "cuda", "--name", "bounds"]
    assert aliases.understood(values) == values


def test_commands_of_other_programs_are_understood(capsys):
    assert aliases.understood(["train", "--epochs", "5"]) == ["run", "--rounds", "5"]
    assert capsys.readouterr().err.splitlines() == ["train is called run here", "--epochs is called --rounds here"]
    assert aliases.understood(["help"]) == ["--help"]
    assert aliases.understood(["help", "run"]) == ["run", "--help"]
    ours = {info.name for info in application([]).registered_commands}
    assert {each for each in aliases.COMMANDS.values() if not each.startswith("-")} <= ours
    assert not ours & aliases.COMMANDS.keys()
