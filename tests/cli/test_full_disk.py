"""On a full disk a file is written whole or not at all, a run starts or leaves nothing, and one sentence says so."""

from pathlib import Path

import pytest
from programs import SHORT, ran
from searches import contents

TABLE = "a,b,level\n" + "".join(f"{x % 7},{x % 5},{'low' if x % 7 < 3 else 'high'}\n" for x in range(200))


def with_room_for(size: int, before: str = "") -> str:
    """The program where files are limited to this many bytes: the system then reports "File too large"."""
    return (
        f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, resource.RLIM_INFINITY))\n"
        f"{before}from distsearch.__main__ import main; main()"
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with a table and a run of it."""
    path = tmp_path_factory.mktemp("work")
    (path / "t.csv").write_text(TABLE)
    assert ran("run", *SHORT, "--data", "t.csv", "--name", "t", cwd=path).returncode == 0
    return path


@pytest.mark.parametrize("before", [None, "what was there"])
@pytest.mark.parametrize(
    "command",
    [
        ("predict", "t", "t.csv", "--output", "out"),
        ("replay", "t", "--to", "out"),
        ("export", "t", "--to", "out.json"),
        ("compare", "--strategies", "hill-climb", "--seeds", "1", *SHORT, "--output", "out"),
    ],
    ids=lambda command: command[0],
)
def test_a_file_that_does_not_fit_leaves_what_was_there(folder, command, before):
    out = folder / command[-1]
    if before is not None:
        out.write_text(before)
    # The searches of `compare` are not kept but need room; its table exceeds this only with its header.
    size = 150 if command[0] != "compare" else 100_000
    program = with_room_for(size, LITTLE_FOR_THE_TABLE if command[0] == "compare" else "")
    done = ran(*command, cwd=folder, program=program)
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1] == f"distsearch: cannot write {out.name}: File too large"
    assert "Traceback" not in done.stderr
    assert (out.read_text() if out.exists() else None) == before
    out.unlink(missing_ok=True)
    assert sorted(path.name for path in folder.iterdir()) == ["runs", "t.csv"]


LITTLE_FOR_THE_TABLE = """
from distsearch.cli import comparisons, output
def write(path, content):
    resource.setrlimit(resource.RLIMIT_FSIZE, (50, 50))
    output.write(path, content)
comparisons.write = write
"""


@pytest.mark.parametrize("path", ["none/out", "runs", "t.csv/out"])
@pytest.mark.parametrize(
    "command", [("predict", "none", "none.csv", "--output"), ("replay", "none", "--to"), ("export", "none", "--to")]
)
def test_an_impossible_output_file_is_refused_before_any_work(folder, command, path):
    """Even before it turns out that there is no such run."""
    if command[0] == "export" and path != "runs":
        path += ".json"
    done = ran(*command, path, cwd=folder)
    assert done.returncode == 2
    assert done.stderr.startswith(f"distsearch: cannot write {path}: ") or (command[0], path) == ("export", "runs")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("size", [0, 100, 6000])
def test_a_run_that_cannot_start_leaves_nothing_and_does_not_block_its_name(folder, tmp_path, size):
    """There is room for nothing; for the start of the configuration; for all of it but not for the data's schema."""
    columns = [f"column-{number}" for number in range(500)]
    rows = [",".join([*columns, "y"]), *("1," * 500 + y for y in "abab")]
    (tmp_path / "wide.csv").write_text("\n".join(rows))
    arguments = ("run", *SHORT, "--data", "wide.csv", "--strategy", "hill-climb", "--name", "a", "--runs", "kept")
    done = ran(*arguments, cwd=tmp_path, program=with_room_for(size))
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[1:] == [
        "distsearch: cannot write to the folder kept (File too large): choose another with --runs"
    ]
    assert list((tmp_path / "kept").iterdir()) == []
    assert ran(*arguments, cwd=tmp_path).returncode == 0


def test_a_run_whose_first_checkpoint_does_not_fit_leaves_nothing(tmp_path):
    arguments = ("run", *SHORT, "--layers", "5000", "--name", "a")
    done = ran(*arguments, cwd=tmp_path, program=with_room_for(20_000))
    assert done.returncode == 2, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("distsearch: cannot write to the run runs/a (File too large): its search has not begun")
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_run_that_fills_the_disk_can_be_resumed_from_its_last_checkpoint(tmp_path):
    flags = ("--workers", "0", "--name", "a")
    done = ran("run", *flags, "--rounds", "300", cwd=tmp_path, program=with_room_for(20_000))
    assert done.returncode == 2, done.stderr
    assert "its last checkpoint is intact; free some space or fix it, then continue" in done.stderr.splitlines()[-1]
    assert not [path for path in (tmp_path / "runs" / "a").iterdir() if path.suffix == ".temporary"]
    assert ran("resume", "a", "--workers", "0", cwd=tmp_path).returncode == 0
    assert ran("run", *flags[:2], "--name", "b", "--rounds", "300", cwd=tmp_path).returncode == 0
    assert contents(tmp_path / "runs" / "a") == contents(tmp_path / "runs" / "b")
