"""The commands `strategies` and `compare`, as a user runs them."""

import csv
import json
import subprocess
from pathlib import Path

from programs import ran

from distsearch import strategies


def distsearch(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return ran(*arguments, cwd=cwd, variables={"COLUMNS": "120"})


def test_strategies_lists_each_with_its_settings_and_defaults(tmp_path):
    lines = distsearch("strategies", cwd=tmp_path).stdout.splitlines()
    assert {name for name in strategies.STRATEGIES.own if any(line.startswith(f"{name} ") for line in lines)} == set(
        strategies.STRATEGIES.own
    )
    text = distsearch("strategies", "hill-climb", cwd=tmp_path).stdout
    assert "--ladder      3 " in text
    assert "[candidates]" in text
    assert "random-search" not in text
    document = json.loads(distsearch("strategies", "--json", cwd=tmp_path).stdout)
    assert [each["name"] for each in document] == list(strategies.STRATEGIES.own)
    settings = {each["name"]: each["default"] for each in document[0]["settings"]}
    assert settings["adapt"] is True


def test_an_unknown_strategy_is_refused(tmp_path):
    done = distsearch("strategies", "hill", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("distsearch: unknown strategy 'hill': did you mean 'hill-climb'?")


def test_compare_prints_and_saves_a_table_and_leaves_no_runs(tmp_path):
    flags = ["--workers", "0", "--target-loss", "0.3", "--rounds", "60", "--seeds", "2", "--ladder", "2"]
    names = ["--strategies", "hill-climb,random-search"]
    done = distsearch("compare", *names, *flags, "--output", "table.csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "hill-climb" in done.stdout
    assert "2 of 2" in done.stdout
    assert "0 of 2" in done.stdout
    assert "4 of 4: random-search, seed 1: loss" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]
    rows = {row["strategy"]: row for row in csv.DictReader((tmp_path / "table.csv").read_text().splitlines())}
    assert float(rows["hill-climb"]["loss_median"]) <= 0.3
    assert rows["random-search"]["seconds_median"] == ""


def test_runs_that_are_kept_are_in_the_folder_that_the_variable_names(tmp_path):
    flags = ["--strategies", "hill-climb", "--seeds", "1", "--workers", "0", "--rounds", "2", "--name", "kept"]
    done = ran("compare", *flags, cwd=tmp_path, variables={"DISTSEARCH_RUNS": str(tmp_path / "mine")})
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.glob("*/*")] == ["kept-hill-climb-0"]
    assert (tmp_path / "mine" / "kept-hill-climb-0").is_dir()


def test_why_a_search_failed_is_said_in_flags(tmp_path):
    flags = ["--workers", "0", "--rounds", "2", "--seeds", "1", "--population", "3", "--json"]
    done = distsearch("compare", "--strategies", "hill-climb,cma-es", *flags, cwd=tmp_path)
    [failure] = [each["failure"] for each in json.loads(done.stdout)["searches"] if each["failure"]]
    assert failure.startswith("--population: expected 5 to ")
    assert f"2 of 2: cma-es, seed 0: {failure}" in done.stderr


def test_auto_is_compared_as_the_strategy_it_chooses(tmp_path):
    flags = ["--workers", "0", "--rounds", "3", "--seeds", "1", "--sigma", "0.3", "--ladder", "2", "--json"]
    done = distsearch("compare", "--strategies", "hill-climb,auto", *flags, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [each["strategy"] for each in json.loads(done.stdout)["strategies"]] == ["hill-climb", "node-perturbation"]
    assert "strategy node-perturbation: a network of 21 weights" in done.stderr


def test_a_configuration_may_leave_out_the_strategy(tmp_path):
    done = distsearch("config", "--strategy", "auto", "--sigma", "0.3", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (tmp_path / "search.toml").write_text(done.stdout)
    flags = ["--config", "search.toml", "--workers", "0", "--rounds", "3", "--name", "a"]
    assert distsearch("run", *flags, cwd=tmp_path).returncode == 0
    kept = (tmp_path / "runs" / "a" / "config.toml").read_text()
    assert 'name = "node-perturbation"' in kept
    assert "sigma = 0.3" in kept


def test_auto_has_no_settings_to_describe(tmp_path):
    done = distsearch("strategies", "auto", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("distsearch: auto is not a strategy but chooses one: expected one of hill-climb, ")


def test_compare_as_json_has_every_search(tmp_path):
    flags = ["--workers", "0", "--rounds", "3", "--seeds", "2", "--test-share", "0.2", "--json", "--runs", "kept"]
    done = distsearch("compare", "--strategies", "hill-climb", *flags, cwd=tmp_path)
    document = json.loads(done.stdout)
    assert [search["seed"] for search in document["searches"]] == [0, 1]
    assert document["strategies"][0]["test_accuracy"]["lowest"] >= 0
    assert len(list((tmp_path / "kept").iterdir())) == 2


def test_compare_refuses_bad_options_in_one_sentence(tmp_path):
    cases = {
        ("--strategies", "random-search", "--ladder", "2"): "none of random-search has the setting 'ladder'",
        ("--strategies", "hill-climb", "--output", "none/table.csv"): "none is not a folder",
        ("--strategies", "hill-climb", "--data", "vertcal"): "did you mean 'vertical'",
        ("--strategies", ","): "expected strategies to compare",
    }
    for arguments, words in cases.items():
        done = distsearch("compare", "--workers", "0", *arguments, cwd=tmp_path)
        assert done.returncode == 2, done.stderr
        assert words in done.stderr
        assert done.stdout == ""
        assert list(tmp_path.iterdir()) == []
