"""Paths that begin with ~ mean the same wherever a user writes them."""

from pathlib import Path

import pytest
from programs import SHORT, ran, refused

TABLE = "a,b,level\n1,0,low\n6,1,high\n2,1,low\n5,0,high\n"


@pytest.fixture
def home(tmp_path) -> Path:
    """A home directory with a table and a configuration, beside the folder in which commands are run."""
    path = tmp_path / "home"
    path.mkdir()
    (tmp_path / "here").mkdir()
    (path / "t.csv").write_text(TABLE)
    (path / "c.toml").write_text('[data]\nsource = "~/t.csv"\n[output]\ndirectory = "~/filed"\nstorage = "~/stored"\n')
    return path


def test_a_tilde_is_expanded_in_options_files_and_the_environment(home):
    def command(*arguments: str, **variables: str) -> str:
        done = ran(*arguments, cwd=home.parent / "here", variables={"HOME": str(home), **variables})
        assert done.returncode == 0, done.stderr
        return done.stdout

    command("run", *SHORT, "--runs=~/kept", "--data", "~/t.csv", "--name", "one")
    command("run", *SHORT, "--config", "~/c.toml", "--name", "two")
    command("run", *SHORT, "--name", "three", DISTSEARCH_RUNS="~/named")
    command("run", *SHORT, "--name", "four", DISTSEARCH_RUNS="")
    assert "one" in command("list", "--runs", "~/kept")
    assert "three" in command("list", DISTSEARCH_RUNS="~/named")
    command("predict", "~/kept/one", "~/t.csv", "--output", "~/out.csv")
    command("evaluate", "one", "--runs=~/kept", "--data=~/t.csv")
    command("replay", "~/kept/one", "--to", "~/best.safetensors")
    command("publish", "~/kept/one", "--storage", "~/elsewhere")
    command("show", "~/elsewhere/one", "--runs", "~/brought")
    command("compare", "--strategies", "hill-climb", "--seeds", "1", *SHORT, "--output=~/table.csv")
    found = {path.parent.relative_to(home.parent).as_posix() for path in home.parent.rglob("manifest.json")}
    assert found == {"home/kept/one", "home/filed/two", "home/named/three", "here/runs/four", "home/brought/one"}
    assert [path.name for path in (home.parent / "here").iterdir()] == ["runs"]
    assert (home / "stored" / "two" / "index.json").exists()
    assert {"out.csv", "best.safetensors", "table.csv"} <= {path.name for path in home.iterdir()}


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", *SHORT, "--runs", "~nobody-of-this-name/x"),
        ("run", *SHORT, "--data", "~nobody-of-this-name/x"),
        ("run", *SHORT, "--storage", "~nobody-of-this-name/x"),
        ("run", *SHORT, "--config", "~nobody-of-this-name/x"),
        ("list", "--runs", "~nobody-of-this-name/x"),
        ("show", "~nobody-of-this-name/x"),
        ("predict", "a", "b.csv", "--output", "~nobody-of-this-name/x"),
        ("compare", "--strategies", "snes", "--output", "~nobody-of-this-name/x"),
        ("jobs", "--token-file", "~nobody-of-this-name/x"),
        ("fetch", "a", "--to", "~nobody-of-this-name/x"),
    ],
    ids=lambda arguments: " ".join(arguments[:1] + arguments[-2:-1]),
)
def test_the_home_of_an_unknown_user_is_refused(tmp_path, arguments):
    sentence = refused(*arguments, cwd=tmp_path)
    assert sentence == (
        "expected a path, got '~nobody-of-this-name/x': there is no home directory ~nobody-of-this-name; "
        "write ./~nobody-of-this-name/x if the name begins with ~"
    )


def test_a_cluster_expands_a_tilde_itself(tmp_path):
    """A submitted search keeps the ~ in its runs folder: only the cluster knows whose home that is."""
    import typer

    from distsearch.cli.app import application
    from distsearch.cli.submitted import search_of

    root = typer.main.get_command(application(["submit"])).make_context("distsearch", ["submit", "--", "run"])
    for line in (["run", "--name", "a", "--runs", "~/r"], ["resume", "a", "--runs=~/r"]):
        assert search_of(root, line, [], True).runs == "~/r"
