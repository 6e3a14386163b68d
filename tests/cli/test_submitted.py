"""The command line after `submit`: how it is rewritten and which files travel with it."""

import re
from pathlib import Path

import pytest
import typer

from distsearch.cli.app import application
from distsearch.cli.submitted import search_of
from distsearch.errors import UserError
from distsearch.jobs.submission import Submission


def read(*arguments: str, added: tuple[Path, ...] = (), files: bool = True) -> Submission:
    group = typer.main.get_command(application(["submit"]))
    with group.make_context("distsearch", ["jobs"]) as root:
        return search_of(root, arguments, added, files)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.csv").write_text("1,2")
    (tmp_path / "search.toml").write_text('[data]\nsource = "my.csv"\n[output]\nname = "filed"\n')
    return tmp_path


def test_a_complete_command_line_is_not_changed():
    line = ["run", "--data=digits", "--name", "one"]
    assert read(*line) == Submission(line, "one", extras="datasets")


def test_a_run_without_a_name_is_given_one():
    first, second = read("run", "--data", "spiral"), read("run", "--data", "spiral")
    assert re.fullmatch("spiral-hill-climb-[0-9a-f]{6}", first.run)
    assert first.run != second.run
    assert first.arguments == ["run", "--data", "spiral", "--name", first.run]


def test_paths_of_local_files_become_their_paths_in_the_job(here):
    search = read("run", "--name", "one", "--data", f"{here}/my.csv", "--rounds", "3")
    assert search.arguments == ["run", "--rounds", "3", "--name", "one", "--data", "my.csv"]
    assert search.files == {"my.csv": here / "my.csv"}
    search = read("run", "--config=search.toml", added=(Path("my.csv"),))
    assert search.arguments == ["run", "--name", "filed", "--config", "settings/search.toml"]
    assert (search.run, search.settings) == ("filed", {"settings/search.toml": Path("search.toml")})
    assert search.files == {"my.csv": Path("my.csv")}


def test_a_file_of_weights_travels_but_no_run_and_no_way_to_draw_them(here):
    (here / "base.safetensors").touch()
    search = read("run", "--name", "one", "--model", "mine:Net", "--start", f"{here}/base.safetensors")
    assert search.arguments == ["run", "--model", "mine:Net", "--name", "one", "--start", "base.safetensors"]
    assert (search.settings, search.files) == ({"base.safetensors": here / "base.safetensors"}, {})
    assert search.extras == "torch"
    (here / "tuned.toml").write_text('[network]\nstart = "base.safetensors"\n[output]\nname = "one"\n')
    search = read("run", "--config", "tuned.toml")
    assert search.settings.keys() == {"settings/tuned.toml", "base.safetensors"}
    (here / "glorot").touch()
    for start in ("glorot", "earlier", "/far/away.safetensors"):
        search = read("run", "--name", "one", "--start", start)
        assert (search.arguments, search.settings) == (["run", "--start", start, "--name", "one"], {})
    assert read("run", "--name", "one", "--start", "base.safetensors", files=False).settings == {}


def test_a_file_of_costs_travels_but_neither_columns_nor_json(here):
    (here / "costs.csv").write_text(",no,yes\nno,0,1\nyes,5,0\n")
    search = read("run", "--name", "one", "--loss", "expected-cost", "--costs", f"{here}/costs.csv")
    assert search.arguments == ["run", "--loss", "expected-cost", "--name", "one", "--costs", "costs.csv"]
    assert search.settings == {"costs.csv": here / "costs.csv"}
    for costs in ("cost_no,cost_yes", '{"no": {"no": 0, "yes": 1}, "yes": {"no": 5, "yes": 0}}'):
        assert read("run", "--name", "one", "--loss", "expected-cost", "--costs", costs).settings == {}


def test_moved_data_travels_with_a_resumed_run(here):
    search = read("resume", "one", "--data", f"{here}/my.csv", "--rounds", "3")
    assert search.arguments == ["resume", "one", "--rounds", "3", "--data", "my.csv"]
    assert search.files == {"my.csv": here / "my.csv"}
    assert read("resume", "one", "--data", "/far/away.csv").arguments == ["resume", "one", "--data", "/far/away.csv"]


def test_files_are_not_sent_if_not_wanted(here):
    search = read("run", "--name", "one", "--data", f"{here}/my.csv", files=False)
    assert search.files == {}
    assert search.arguments == ["run", "--data", f"{here}/my.csv", "--name", "one"]


def test_the_local_runs_folder_does_not_apply_in_the_job(monkeypatch):
    monkeypatch.setenv("DISTSEARCH_RUNS", "mine")
    assert read("run", "--name", "one").runs == read("resume", "one").runs == ""
    assert read("resume", "one", "--runs", "~/theirs").runs == "~/theirs"


def test_trackers_travel_with_the_job(here):
    (here / "mine.py").write_text("def tracker(place): ...")
    search = read("run", "--name", "one", "--track", "mlflow:http://host:5000,tensorboard:/results,mine:tracker")
    assert search.extras == "mlflow,tensorboard"
    assert search.files == {"mine.py": Path("mine.py")}
    assert read("resume", "one", "--track", "wandb:team/trial").extras == "wandb"
    for word in ("tensorboard", "mlflow:mlruns"):
        with pytest.raises(UserError, match=f"--track: expected a server, or a folder on the cluster .*, got '{word}'"):
            read("run", "--name", "one", "--track", word)


def test_a_run_in_storage_keeps_its_name_and_needs_the_storage_extra():
    search = read("resume", "s3://bucket/runs/one")
    assert (search.run, search.extras) == ("one", "storage")
    assert read("run", "--data", "digits", "--storage", "gs://bucket").extras == "datasets,storage"
    assert read("resume", "one").extras == ""


def test_two_files_of_one_name_are_refused(here):
    (here / "else").mkdir()
    for name in ("my.csv", "costs.csv"):
        (here / "else" / name).write_text("1,2")
    (here / "costs.csv").write_text("1,2")
    with pytest.raises(UserError, match=r"my.csv and .*else/my.csv would both be my.csv in the job: rename one"):
        read("run", "--name", "one", "--data", f"{here}/my.csv", added=(here / "else" / "my.csv",))
    flags = ["--name", "one", "--data", f"{here}/costs.csv", "--loss", "expected-cost"]
    with pytest.raises(UserError, match="would both be costs.csv in the job"):
        read("run", *flags, "--costs", f"{here}/else/costs.csv")
    with pytest.raises(UserError, match="would both be my.csv in the job"):
        read("resume", "one", added=(here / "my.csv", here / "else" / "my.csv"))
    assert read("run", "--name", "one", "--data", "my.csv", added=(here / "my.csv",)).files.keys() == {"my.csv"}


def test_a_module_travels_with_its_package(here):
    (here / "package" / "inner").mkdir(parents=True)
    for name in ("package/__init__.py", "package/base.py", "package/inner/losses.py"):
        (here / name).write_text("def loss(outputs, targets): return 0")
    search = read("run", "--name", "one", "--data", "digits", "--loss", "package.inner.losses:loss")
    assert search.files.keys() == {"package/__init__.py", "package/base.py", "package/inner/losses.py"}
    for odd in (":loss", "..:loss"):
        assert read("run", "--name", "one", "--data", "digits", "--metrics", odd).files == {}


def test_a_file_in_the_home_folder_travels(here, monkeypatch):
    monkeypatch.setenv("HOME", str(here))
    (here / "base.safetensors").touch()
    search = read("run", "--name", "one", "--start=~/base.safetensors")
    assert search.arguments == ["run", "--name", "one", "--start", "base.safetensors"]
    assert search.settings == {"base.safetensors": here / "base.safetensors"}


def test_a_folder_in_the_job_s_own_is_no_place_for_a_run(here):
    for command in (["run", "--name", "one"], ["resume", "one"]):
        with pytest.raises(UserError, match="--storage: expected a URI, or a folder on the cluster such as /results"):
            read(*command, "--storage", "backup")
    with pytest.raises(UserError, match="--runs: expected a folder on the cluster"):
        read("run", "--name", "one", "--runs", "s3://bucket")
    assert read("run", "--name", "one", "--storage", "/backup").run == "one"


def test_what_data_needs_is_seen_from_where_it_is(here):
    (here / "far" / "faces" / "a").mkdir(parents=True)
    (here / "far" / "faces" / "a" / "1.png").touch()
    assert read("run", "--name", "one", "--data", f"{here}/far/faces").extras == "images"
    assert read("run", "--name", "one", "--data", "/far/table", "--reader", "parquet").extras == "parquet"
