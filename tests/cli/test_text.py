"""Text from users and files is printed as text: never as markup or terminal control codes."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from programs import SHORT, ran, refused
from waiting import PATIENCE

ESCAPE = "\x1b]0;owned\x07"
HOSTILE = f"a,b\x1b[31m,l\n1,2,{ESCAPE}x\n2,3,y\x9bz\n3,1,y\x9bz\n"


def test_names_and_paths_are_not_read_as_markup(tmp_path):
    (tmp_path / "x[").mkdir()
    (tmp_path / "x[" / "y].csv").write_text("a,b,l\n1,2,[bold]\n2,3,[/red]\n")
    done = ran("run", *SHORT, "--data", "x[/y].csv", "--runs", "R[/x]", "--name", "[red]z[bold] :smile:", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "x[/y].csv, hidden layers" in done.stderr
    assert "kept in R[/x]/[red]z[bold] :smile:\n" in done.stderr
    for arguments in (["list"], ["show", "[red]z[bold] :smile:"], ["evaluate", "[red]z[bold] :smile:"]):
        done = ran(*arguments, "--runs", "R[/x]", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "y].csv" in done.stdout or "train" in done.stdout
    assert "[red]z[bold] :smile:" in ran("list", "--runs", "R[/x]", cwd=tmp_path).stdout
    assert "no runs in [/x]" in ran("list", "--runs", "[/x]", cwd=tmp_path).stderr
    predicted = ran("predict", "R[/x]/[red]z[bold] :smile:", "x[/y].csv", cwd=tmp_path).stdout
    assert {line.rpartition(",")[0] for line in predicted.splitlines()[1:]} <= {"[bold]", "[/red]"}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> Path:
    """A folder with a run of a table whose labels and column names have control characters in them."""
    path = tmp_path_factory.mktemp("hostile")
    (path / "hostile\x1b[31m.csv").write_text(HOSTILE)
    done = ran("run", *SHORT, "--data", "hostile\x1b[31m.csv", cwd=path)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stderr
    assert r"hostile\x1b[31m.csv, hidden layers" in done.stderr
    assert [each.name for each in (path / "runs").iterdir()] == ["hostile-31m-node-perturbation-1"]
    return path


@pytest.mark.parametrize(
    "arguments",
    [
        ("list",),
        ("show", "hostile-31m-node-perturbation-1"),
        ("show", "hostile-31m-node-perturbation-1", "--json"),
        ("evaluate", "hostile-31m-node-perturbation-1", "--data", "other.csv"),
        ("evaluate", "hostile-31m-node-perturbation-1", "--data", "text.csv"),
        ("predict", "hostile-31m-node-perturbation-1", "text.csv"),
        ("run", "extra\x1b[31m"),
        ("run", "--strategy", "x\x1b[31m"),
        ("\x1b[31m",),
        ("resume", "\x1b[31m"),
        ("strategies", "\x1b[31m"),
    ],
    ids=lambda arguments: " ".join(arguments).replace("\x1b", ""),
)
def test_control_characters_do_not_reach_a_terminal(hostile, arguments):
    (hostile / "other.csv").write_text(f"a,b\x1b[31m,l\n1,2,{ESCAPE}other\n2,3,y\x9bz\n")
    (hostile / "text.csv").write_text("a,b\x1b[31m,l\n1,\x1b[31m,x\n")
    done = ran(*arguments, cwd=hostile)
    assert not {"\x1b", "\x07", "\x9b"} & {*done.stdout, *done.stderr}
    assert "Traceback" not in done.stderr


def on_a_terminal(*arguments: str, cwd: Path) -> str:
    """What the program writes to a terminal."""
    leader, follower = pty.openpty()
    try:
        command = [sys.executable, "-m", "distsearch", *arguments]
        subprocess.run(command, cwd=cwd, stdout=follower, stderr=follower, timeout=PATIENCE, check=True)
    finally:
        os.close(follower)
    with open(leader, "rb") as file:
        return file.read1(100_000).decode()


def test_predictions_are_exact_in_a_file_and_harmless_on_a_terminal(hostile):
    arguments = ("predict", "hostile-31m-node-perturbation-1", "hostile\x1b[31m.csv")
    labels = {"y\x9bz", f"{ESCAPE}x"}
    assert {line.rpartition(",")[0] for line in ran(*arguments, cwd=hostile).stdout.splitlines()[1:]} <= labels
    shown = on_a_terminal(*arguments, cwd=hostile)
    assert not {"\x1b", "\x07", "\x9b"} & {*shown}
    assert r"y\x9bz," in shown or r"\x1b]0;owned\x07x," in shown


def test_the_error_of_a_user_s_function_is_shown_as_text(tmp_path):
    program = (
        "import distsearch.objectives.network as o\n"
        "from distsearch.objectives import foreign\n"
        "def broken(): raise ValueError('[/red] \\x1b[31m')\n"
        "o.NetworkObjective.losses = lambda *arguments: foreign.call('the objective', broken)\n"
        "from distsearch.__main__ import main; main()"
    )
    done = ran("run", *SHORT, cwd=tmp_path, program=program)
    assert "\x1b" not in done.stderr
    assert r"[/red] \x1b[31m" in done.stderr


@pytest.mark.parametrize("name", [b"n\xff", b"a\nb", b"a\x1b[31m", b"~x", b".x", b"a/b", b"x" * 201])
def test_an_impossible_name_is_refused_and_blocks_nothing(tmp_path, name):
    sentence = refused("run", *SHORT, "--name", os.fsdecode(name), cwd=tmp_path)
    assert "expected text, got 'n\\udcff': write it in UTF-8" in sentence or "expected a plain name" in sentence


def test_predictions_are_written_in_utf_8_in_every_locale(tmp_path):
    (tmp_path / "t.csv").write_text("a,b,l\n1,2,é\n2,3,漢\n3,1,é\n", encoding="utf-8")
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    assert ran("run", *SHORT, "--data", "t.csv", "--name", "a", cwd=tmp_path, variables=ascii_only).returncode == 0
    done = ran("predict", "a", "t.csv", cwd=tmp_path, variables=ascii_only)
    assert done.returncode == 0, done.stderr
    assert {line.partition(",")[0] for line in done.stdout.splitlines()[1:]} <= {"é", "漢"}


def test_a_locale_without_utf_8_is_answered_with_what_to_set(tmp_path):
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    sentence = refused("run", *SHORT, "--name", "éé", cwd=tmp_path, variables=ascii_only)
    assert sentence.endswith("this locale is not UTF-8, so set LC_ALL=C.UTF-8 or PYTHONUTF8=1")
    for variables in ({"LC_ALL": "C"}, {**ascii_only, "PYTHONUTF8": "1"}):
        done = ran("run", *SHORT, "--name", "éé", "--runs", f"runs-{len(variables)}", cwd=tmp_path, variables=variables)
        assert done.returncode == 0, done.stderr


def test_directory_names_in_other_encodings_do_no_harm(tmp_path):
    assert ran("run", *SHORT, "--name", "a", cwd=tmp_path).returncode == 0
    os.rename(tmp_path / "runs" / "a", os.fsencode(tmp_path / "runs") + b"/n\xff")
    assert "n\\udcff" in ran("list", cwd=tmp_path).stdout
    [run] = json.loads(ran("list", "--json", cwd=tmp_path).stdout)
    assert run["run"] == "n\udcff"
    for command in (["show", "--json"], ["verify", "--json"], ["evaluate"]):
        done = ran(command[0], "n\udcff", *command[1:], cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert "n\\udcff" in refused("resume", "n\udcff", "--workers", "0", "--rounds", "1", cwd=tmp_path)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-16"])
def test_everything_is_written_in_utf_8(tmp_path, encoding):
    (tmp_path / "é.csv").write_text("a,b,l\n1,2,é\n2,3,漢\n3,1,é\n", encoding="utf-8")
    variables = {"PYTHONIOENCODING": encoding}
    done = ran("run", *SHORT, "--data", "é.csv", "--name", "é", cwd=tmp_path, variables=variables)
    assert "kept in runs/é" in done.stderr, done.stderr
    for arguments in (["predict", "é", "é.csv"], ["show", "é"], ["list"], ["config", "--data", "é.csv"], ["--help"]):
        done = ran(*arguments, cwd=tmp_path, variables=variables)
        assert done.returncode == 0, done.stderr
        assert "é" in done.stdout or arguments == ["--help"]
    ran("predict", "é", "é.csv", "--output", "out.csv", cwd=tmp_path, variables=variables)
    printed = ran("predict", "é", "é.csv", cwd=tmp_path, variables=variables).stdout
    assert (tmp_path / "out.csv").read_text(encoding="utf-8") == printed


def test_only_one_module_writes_to_the_standard_streams():
    import ast

    import distsearch

    package = Path(distsearch.__file__).parent
    for path in package.rglob("*.py"):
        names = {node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)}
        assert "print" not in names, path
