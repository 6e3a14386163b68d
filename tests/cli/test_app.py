"""The program as a user runs it: a process of its own, its streams and its exit code."""

import csv
import gzip
import io
import json
import os
import re
import signal
import struct
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from processes import ray_workers
from programs import ran, refused, started, succeeded
from waiting import PATIENCE, awaited, lines_until

import distsearch
from distsearch import config, strategies

ENDLESS = ("--rounds", "1000000000")


def rounds_in(history: Path) -> int:
    """The rounds that a run has written so far; empty if it has not begun."""
    return len(history.read_text().splitlines()) if history.exists() else 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with a run, `first`, and a run of a table with text labels, `table`."""
    path = tmp_path_factory.mktemp("work")
    succeeded("run", "--workers", "0", "--rounds", "60", "--name", "first", cwd=path)
    rows = [(f"{x % 7}", f"{x % 5}", "low" if x % 7 < 3 else "high") for x in range(60)]
    with (path / "table.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("a", "b", "level"), *rows])
    flags = ["--target", "level", "--scale", "--test-share", "0.25", "--rounds", "200", "--layers", "4"]
    succeeded("run", "--workers", "0", "--data", "table.csv", *flags, "--name", "table", cwd=path)
    return path


@pytest.mark.slow
def test_run_without_options_learns_the_chapter_s_data_on_all_cores(tmp_path):
    done = succeeded("run", "--json", cwd=tmp_path)
    result = json.loads(done.stdout)
    assert result["accuracy"] >= 0.93
    assert result["loss"] <= 0.205
    assert "passes/s" in done.stderr
    files = sorted(path.name for path in (tmp_path / "runs" / "vertical-hill-climb-1").iterdir())
    assert [name for name in files if name != "previous.safetensors"] == [
        "best.safetensors",
        "checkpoint.safetensors",
        "config.toml",
        "history.jsonl",
        "losses.bin",
        "manifest.json",
        "result.json",
    ]
    resumed = succeeded("resume", "vertical-hill-climb-1", "--rounds", "20", "--workers", "0", "--json", cwd=tmp_path)
    assert json.loads(resumed.stdout)["rounds"] == result["rounds"] + 20


def test_stdout_stays_empty_without_json_and_verbose_goes_to_stderr(tmp_path):
    done = succeeded("run", "--workers", "0", "--rounds", "50", "--verbose", cwd=tmp_path)
    assert done.stdout == ""
    lines = re.findall(r"new best weights in round (\d+): loss ([\d.]+), accuracy ([\d.]+)", done.stderr)
    assert len(lines) > 10
    losses = [float(loss) for _, loss, _ in lines]
    assert losses == sorted(losses, reverse=True)
    assert "\r" not in done.stderr
    assert "\x1b" not in done.stderr


def test_features_far_from_unit_size_are_standardised_unless_the_user_says_no(tmp_path):
    means = {}
    for name, flags in {"auto": [], "yes": ["--scale"], "no": ["--scale", "no"], "also-no": ["--no-scale"]}.items():
        succeeded("run", "--workers", "0", "--rounds", "1", "--data", "wine", "--name", name, *flags, cwd=tmp_path)
        means[name] = json.loads((tmp_path / "runs" / name / "manifest.json").read_text())["data"]["mean"]
    assert means["auto"] == means["yes"] != means["no"]
    assert means["no"] is means["also-no"] is None


def test_help_names_every_option_with_its_default_and_unit(tmp_path):
    text = " ".join(succeeded("run", "--help-all", cwd=tmp_path).stdout.replace("│", " ").split())
    for _, setting in config.options():
        assert f"--{setting.flag}" in text
    for strategy in strategies.STRATEGIES.own.values():
        for name in strategy.Settings.__struct_fields__:
            assert f"--{name.replace('_', '-')}" in text
    for words in (
        "[candidates; default: hill-climb, random-search, annealing: 32; snes: 17; cma-es: chosen; "
        "evolution-strategy: 65]",
        "hill-climb, annealing",
        "[seconds]",
        "default: auto",
    ):
        assert words in text


def test_the_environment_sets_the_runs_folder_unless_an_option_does(tmp_path):
    """The environment wins over a file, as a job's cluster must win over its copy of a configuration."""
    (tmp_path / "search.toml").write_text('[output]\ndirectory = "filed"\n')

    def program(*arguments: str) -> None:
        done = ran(*arguments, cwd=tmp_path, variables={"DISTSEARCH_RUNS": "~/kept", "HOME": str(tmp_path)})
        assert done.returncode == 0, done.stderr

    short = ["--workers", "0", "--rounds", "2"]
    program("run", *short, "--name", "one", "--config", "search.toml")
    program("run", *short, "--name", "two", "--runs", "given")
    program("resume", "one", *short)
    program("show", "one")
    program("compare", "--strategies", "hill-climb", "--seeds", "1", *short[2:], *short[:2])
    assert {path.parent.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("manifest.json")} == {
        "kept/one",
        "given/two",
    }


def test_every_command_has_help_and_is_in_the_guide():
    from distsearch.cli.app import application

    page = (Path(distsearch.__file__).parent / "guide" / "commands.md").read_text(encoding="utf-8")
    commands = application([]).registered_commands
    assert len(commands) >= 6
    for command in commands:
        assert command.callback.__doc__
        assert command.hidden or f"distsearch {command.name}" in page


def test_version_prints_the_version(tmp_path):
    for option in ("--version", "-V"):
        assert re.fullmatch(r"distsearch \d+\.\d+\.\d+\n", succeeded(option, cwd=tmp_path).stdout)


def test_help_needs_neither_numpy_nor_ray():
    code = "import sys; from distsearch.cli.app import application; application(['--help']); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "ray", "sklearn", "pyarrow"} & set(loaded)


def test_config_prints_what_run_accepts_and_flags_override_it(tmp_path):
    text = succeeded("config", "--data", "spiral", "--layers", "7,5", "--sigma", "0.2", cwd=tmp_path).stdout
    (tmp_path / "search.toml").write_text(text)
    flags = ["--workers", "0", "--rounds", "3", "--layers", "6", "--name", "a"]
    succeeded("run", "--config", "search.toml", *flags, cwd=tmp_path)
    kept = tomllib.loads((tmp_path / "runs" / "a" / "config.toml").read_text())
    assert kept["data"]["source"] == "spiral"
    assert kept["network"]["layers"] == [6]
    assert kept["settings"]["sigma"] == 0.2
    again = succeeded("run", "--config", "runs/a/config.toml", "--name", "b", cwd=tmp_path)
    assert again.returncode == 0
    weights = [(tmp_path / "runs" / name / "best.safetensors").read_bytes() for name in "ab"]
    assert weights[0] == weights[1]


def test_show_describes_the_run(folder):
    text = succeeded("show", "first", cwd=folder).stdout
    assert "vertical, hidden layers 3 (relu), cross-entropy, hill-climb, seed 0" in text
    assert "1,920" in text
    assert "ended by   rounds" in text
    document = json.loads(succeeded("show", "runs/first", "--json", cwd=folder).stdout)
    assert len(document["history"]) == document["result"]["rounds"] == 60
    assert document["manifest"]["machine"]["numpy"] == np.__version__


def test_show_prints_the_network_layer_by_layer(tmp_path):
    flags = [
        "--layers",
        "conv4x3,pool2,8",
        "--precision",
        "float32,int8,binary",
        "--data",
        "digits",
        "--shape",
        "8,8,1",
    ]
    succeeded("run", "--name", "made", "--rounds", "1", "--workers", "0", *flags, cwd=tmp_path)
    lines = [line.split() for line in succeeded("show", "made", cwd=tmp_path).stdout.splitlines()]
    for row in ("inputs 8 × 8 × 1", "conv 4 × 3 × 3 40 32", "dense 8 296 8", "dense 10 90 1"):
        assert row.split() in lines
    document = json.loads(succeeded("show", "made", "--json", cwd=tmp_path).stdout)
    assert document["network"][0] == {"kind": "conv", "shape": [4, 3, 3], "weights": 40, "bits": [32]}


def test_list_has_a_line_per_run(folder):
    lines = succeeded("list", cwd=folder).stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["run", "first", "table"]
    names = [each["run"] for each in json.loads(succeeded("list", "--json", cwd=folder).stdout)]
    assert names == ["first", "table"]


def test_evaluate_measures_the_recorded_loss_to_the_bit(folder):
    for name in ("first", "table"):
        scores = json.loads(succeeded("evaluate", name, "--json", cwd=folder).stdout)
        result = json.loads((folder / "runs" / name / "result.json").read_text())
        assert scores["train"]["loss"] == result["loss"]
        assert scores["train"]["accuracy"] == result["accuracy"]
    assert scores["test"]["loss"] == result["test_loss"]
    assert scores["test"]["examples"] == 15


def test_predict_writes_a_line_per_row(folder):
    text = succeeded("predict", "table", "table.csv", cwd=folder).stdout
    rows = list(csv.DictReader(io.StringIO(text)))
    truth = [row["level"] for row in csv.DictReader(io.StringIO((folder / "table.csv").read_text()))]
    assert list(rows[0]) == ["level", "probability"]
    assert np.mean([row["level"] == level for row, level in zip(rows, truth, strict=True)]) > 0.95
    (folder / "new.csv").write_text("b,a\n1,0\n1,6\n")
    succeeded("predict", "table", "new.csv", "--output", "out.csv", cwd=folder)
    assert [row["level"] for row in csv.DictReader(io.StringIO((folder / "out.csv").read_text()))] == ["low", "high"]


def test_idx_files_can_be_trained_on(tmp_path):
    images = (np.arange(80).reshape(80, 1, 1) % 2 * 200 + np.zeros((1, 3, 3))).astype(np.uint8)
    for name, array in (("images-idx3-ubyte", images), ("labels-idx1-ubyte", images[:, 0, 0] // 200)):
        header = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
        with gzip.open(tmp_path / f"train-{name}.gz", "wb") as file:
            file.write(header + array.tobytes())
    flags = ["--workers", "0", "--rounds", "300", "--layers", "4", "--json"]
    result = json.loads(succeeded("run", "--data", str(tmp_path), *flags, cwd=tmp_path).stdout)
    assert result["accuracy"] == 1.0


def test_ctrl_c_stops_cleanly_and_keeps_everything(tmp_path):
    history = tmp_path / "runs" / "a" / "history.jsonl"
    with started("run", "--workers", "0", *ENDLESS, "--name", "a", "--json", cwd=tmp_path) as process:
        awaited("the first round", lambda: rounds_in(history))
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, stderr
    result = json.loads(stdout)
    assert result["reason"] == "interrupted"
    assert rounds_in(history) == result["rounds"] > 0
    assert "kept in runs/a; `distsearch resume runs/a` continues it" in stderr
    assert "Traceback" not in stderr


@pytest.mark.slow
def test_a_killed_worker_is_reported_in_a_sentence_and_stdout_has_only_the_result(tmp_path):
    flags = [
        "--data",
        "digits",
        "--layers",
        "64,32",
        "--strategy",
        "hill-climb",
        "--population",
        "512",
        "--name",
        "a",
        "--json",
    ]
    history = tmp_path / "runs" / "a" / "history.jsonl"
    with started("run", "--workers", "2", *ENDLESS, *flags, cwd=tmp_path) as process:
        lines = [*lines_until("2 workers", process.stderr)]
        os.kill(ray_workers(process.pid)[0].pid, signal.SIGKILL)
        lines += lines_until("lost", process.stderr)
        before = rounds_in(history)
        awaited("rounds after the loss", lambda: rounds_in(history) > before + 2)
        process.send_signal(signal.SIGINT)
        stderr = "".join(lines) + process.stderr.read()
        stdout = process.stdout.read()
    assert json.loads(stdout)["reason"] == "interrupted"
    assert "(The actor died unexpectedly" in stderr
    assert "raylet" not in stderr
    assert max(map(len, stderr.splitlines())) < 200
    manifest = json.loads((tmp_path / "runs" / "a" / "manifest.json").read_text())
    events, shares = manifest["events"], manifest["shares"]
    assert any(each["lost"] is not None for each in shares)
    assert 0 < sum(each["units"] for each in shares) <= 512 * (rounds_in(history) + 1)
    assert 1 <= events[0]["workers"] <= 2
    later = [each for each in events if each["round"] >= before]
    assert any(each["workers"] < 2 or each["retried"] for each in later)


REFUSALS = {
    "strategy": (["--strategy", "hill-clim"], "unknown strategy 'hill-clim': did you mean 'hill-climb'"),
    "loss": (["--loss", "cross-entrop"], "did you mean 'cross-entropy'"),
    "activation": (["--activation", "rleu"], "did you mean 'relu'"),
    "start": (["--start", "hee"], "did you mean 'he'"),
    "data": (["--data", "vertcal"], "did you mean 'vertical'"),
    "option": (["--lairs", "3"], "unknown option '--lairs'"),
    "folds": (["--folds", "2", "--live"], "--live, --story and --verbose show one search, and --folds runs several"),
    "missing file": (["--data", "none.csv"], "none.csv"),
    "sigma zero": (["--sigma", "0"], "sigma: expected a number > 0"),
    "sigma nan": (["--sigma", "nan"], "sigma: expected a finite number, got nan"),
    "population": (["--population", "1"], "population: expected a whole number >= 2, got 1"),
    "rounds": (["--rounds", "0"], "rounds: expected a whole number >= 1, got 0"),
    "target accuracy": (["--target-accuracy", "90"], "--target-accuracy: expected a number <= 1"),
    "seconds": (["--seconds", "-1"], "seconds: expected a number > 0"),
    "layers": (["--layers", "3,0"], "layers: expected a whole number >= 1"),
    "layers text": (["--layers", "many"], "unknown layer 'many': expected one of"),
    "points": (["--points", "1"], "points: expected a whole number >= 2, got 1"),
    "classes": (["--classes", "1"], "classes: expected a whole number >= 2, got 1"),
    "seed": (["--seed", "-1"], "seed: expected a whole number >= 0, got -1"),
    "workers": (["--workers", "9999"], "--workers: expected at most"),
    "setting of another": (
        ["--strategy", "random-search", "--ladder", "2"],
        "--ladder: a setting of hill-climb, annealing, not of random-search; leave it out, or choose one",
    ),
    "rank": (
        ["--strategy", "evolution-strategy", "--rank", "4"],
        "--rank: expected at most 3, the largest layer's full rank, got 4",
    ),
    "batch": (["--batch", "301"], "--batch: expected at most 300, the training examples there are, got 301"),
    "too many weights": (
        ["--strategy", "cma-es", "--layers", "50000,50000"],
        "expected at most 3000 weights, got 2500350003; use --strategy snes",
    ),
    "schedule": (["--strategy", "evolution-strategy", "--schedule", "plato"], "did you mean 'plateau'"),
    "schedule of the step size": (
        ["--strategy", "node-perturbation", "--sigma-schedule", "cosin"],
        "unknown sigma schedule 'cosin': did you mean 'cosine'",
    ),
    "name": (["--name", "a/b"], "expected a plain name"),
    "name of bytes": (["--name", os.fsdecode(b"n\xff")], "--name: expected text, got"),
    "config": (["--config", "none.toml"], "cannot read the configuration none.toml"),
}


@pytest.mark.parametrize(("flags", "sentence"), REFUSALS.values(), ids=REFUSALS)
def test_run_refuses_bad_options_in_one_sentence(tmp_path, flags, sentence):
    message = refused("run", "--workers", "0", "--rounds", "1", *flags, "--runs", str(tmp_path), cwd=tmp_path)
    assert sentence in message


def test_an_unknown_key_in_toml_is_refused_by_name(tmp_path):
    (tmp_path / "a.toml").write_text("[network]\nlayer = [3]\n")
    assert "network: unknown setting 'layer': did you mean 'layers'" in refused(
        "run", "--config", "a.toml", cwd=tmp_path
    )


def test_an_existing_run_is_never_overwritten(folder):
    before = {path: path.read_bytes() for path in (folder / "runs" / "first").iterdir()}
    assert "first already exists: choose another --name" in refused(
        "run", "--workers", "0", "--name", "first", cwd=folder
    )
    assert {path: path.read_bytes() for path in (folder / "runs" / "first").iterdir()} == before


def test_data_that_does_not_fit_a_run_is_refused(folder):
    cases = {
        ("show", "frist"): "unknown run 'frist': did you mean 'first'",
        ("show", "."): "is not a distsearch run",
        ("predict", "table", "none.csv"): "none.csv",
        ("evaluate", "table", "--data", "unseen.csv"): "medium",
        ("evaluate", "table", "--data", "table.csv", "--target", "lvel"): "level",
        ("predict", "first", "three.npz"): "expected the 2 training features, got 3",
    }
    (folder / "unseen.csv").write_text("a,b,level\n1,2,medium\n1,2,low\n")
    np.savez(folder / "three.npz", X=np.zeros((2, 3)))
    for arguments, words in cases.items():
        assert words in refused(*arguments, cwd=folder)


@pytest.mark.parametrize("file", ["best.safetensors", "config.toml", "manifest.json"])
def test_a_damaged_run_is_refused_with_the_name_of_the_file(folder, tmp_path, file):
    import shutil

    shutil.copytree(folder / "runs" / "first", tmp_path / "damaged")
    path = tmp_path / "damaged" / file
    path.write_bytes(path.read_bytes()[:20] + b"\x00\xff")
    assert file in refused("evaluate", "damaged", cwd=tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_output_folder_is_named(tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    assert "cannot write to the folder" in refused("run", "--workers", "0", "--runs", "locked", cwd=tmp_path)
