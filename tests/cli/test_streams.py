"""The reader of the program's output may go away: the search continues and nothing is lost."""

import fcntl
import json
import os
import subprocess
import sys

import pytest
from programs import SHORT, ran, refused
from searches import contents, search
from waiting import PATIENCE, awaited, running

ROUNDS = 3000
LONG = ("run", "--workers", "0", "--rounds", str(ROUNDS), "--verbose", "--name", "a", "--json")


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> dict[str, object]:
    """The contents of an undisturbed run."""
    return contents(search(tmp_path_factory.mktemp("whole"), rounds=ROUNDS)[0].path)


@pytest.mark.parametrize("streams", ["2>&1", "2>&1 >/dev/null", ">/dev/null 2>&1", ""])
def test_a_closed_pipe_does_not_end_a_search(tmp_path, whole, streams):
    """The pipe holds fewer lines than there are improvements: the reader is gone long before the search ends."""
    command = f'"$@" {streams} | head -n 2; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(
        ["/bin/bash", "-c", command, "bash", sys.executable, "-m", "distsearch", *LONG],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    assert "Error" not in done.stderr
    assert json.loads((tmp_path / "runs" / "a" / "result.json").read_text())["rounds"] == ROUNDS
    assert contents(tmp_path / "runs" / "a") == whole


@pytest.mark.parametrize("closed", [(1,), (2,), (0, 1, 2)])
def test_streams_closed_from_the_start_do_not_end_a_search(tmp_path, closed):
    def close() -> None:
        for descriptor in closed:
            os.close(descriptor)

    done = ran(*LONG, cwd=tmp_path, preexec_fn=close)
    assert done.returncode == 0
    assert json.loads((tmp_path / "runs" / "a" / "result.json").read_text())["rounds"] == ROUNDS
    assert (1 in closed) == (done.stdout == "")
    assert (2 in closed) == (done.stderr == "")
    for path in (tmp_path / "runs" / "a").iterdir():
        assert b"new best weights" not in path.read_bytes()
    assert ran("show", "a", cwd=tmp_path, preexec_fn=close).returncode == 0


def test_a_full_non_blocking_pipe_is_waited_for(tmp_path):
    """Another program on the same pipe may have made it non-blocking: a write then fails instead of waiting."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    command = [sys.executable, "-m", "distsearch", *LONG]
    with open(reader, "rb") as pipe, running(command, cwd=tmp_path, stdout=writer, stderr=writer) as process:
        os.close(writer)
        awaited("the first losses", (tmp_path / "runs" / "a" / "losses.bin").exists)
        read = pipe.read()
        process.wait(PATIENCE)
    assert process.returncode == 0
    assert read.count(b"new best weights") > 100
    assert b'"reason": "rounds"' in read


def test_messages_that_cannot_be_printed_are_dropped(tmp_path):
    with open("/dev/full", "w") as full:
        done = ran(*LONG, cwd=tmp_path, stderr=full)
    assert done.returncode == 0
    assert json.loads(done.stdout)["rounds"] == ROUNDS


@pytest.mark.parametrize("command", [["predict", "a", "new.csv"], ["config"], ["list"], ["show", "a", "--json"]])
def test_data_that_cannot_be_printed_is_an_error(tmp_path, command):
    (tmp_path / "new.csv").write_text("a,b\n1,2\n")
    (tmp_path / "old.csv").write_text("a,b,c\n1,2,x\n1,3,y\n")
    assert ran("run", *SHORT, "--data", "old.csv", "--name", "a", cwd=tmp_path).returncode == 0
    with open("/dev/full", "w") as full:
        done = ran(*command, cwd=tmp_path, stdout=full)
    assert done.returncode == 2
    assert done.stderr == "distsearch: cannot use the standard output: No space left on device\n"


def test_a_usage_error_is_one_sentence(tmp_path):
    assert refused("run", "--lairs", "3", cwd=tmp_path) == (
        "unknown option '--lairs': did you mean '--layers', '--ladder' or '--classes'? "
        "`distsearch run --help` shows the options"
    )
    assert refused("show", cwd=tmp_path) == (
        "expected RUN after `distsearch show`: `distsearch list` shows the runs, "
        "`distsearch show --help` shows the options"
    )
    assert refused("compare", cwd=tmp_path) == (
        "expected --strategies after `distsearch compare`: `distsearch compare --help` shows the options"
    )
    assert refused("shwo", cwd=tmp_path) == (
        "unknown command 'shwo': did you mean 'show'? `distsearch --help` shows the commands"
    )
    assert len(refused("run", "--rounds", "9" * 5000, cwd=tmp_path)) < 300
    assert len(refused("run", "--layers", "9" * 5000, cwd=tmp_path)) < 300
    assert len(refused("run", "x" * 5000, cwd=tmp_path)) < 300
    bare = ran(cwd=tmp_path)
    assert (bare.returncode, bare.stderr) == (2, "")
    assert "Usage: distsearch" in bare.stdout
