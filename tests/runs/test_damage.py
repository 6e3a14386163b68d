"""Damaged, foreign and locked runs: one sentence, exit code 2, and nothing is changed."""

import shutil
import struct
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import gettempdir

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from processes import bound_by_permissions
from searches import search

from distsearch.cli.app import application
from distsearch.errors import UserError
from distsearch.runs import directory
from distsearch.runs.directory import StoredRun
from distsearch.runs.documents import sealed_json

ROUNDS = 40
FILES = [
    "best.safetensors",
    "checkpoint.safetensors",
    "config.toml",
    "history.jsonl",
    "losses.bin",
    "manifest.json",
    "previous.safetensors",
    "result.json",
]
COMMANDS = ["show", "evaluate", "export", "verify", "replay"]  # that change nothing


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A finished run with a checkpoint before the last."""
    folder = tmp_path_factory.mktemp("damage")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(directory, "SAVE_SECONDS", 0.0)
        patch.setattr(directory, "SAVE_SHARE", float("inf"))
        path = search(folder, name="whole", rounds=ROUNDS, test_share=0.2)[0].path
    assert sorted(file.name for file in path.iterdir()) == FILES
    return path


@pytest.fixture(scope="module")
def printed(whole) -> dict[str, str]:
    """What each command prints of the undamaged run."""
    return {command: outcome(command, whole)[0] for command in COMMANDS}


@pytest.fixture(scope="module")
def losses_when_resumed(whole, tmp_path_factory) -> bytes:
    """The losses of the undamaged run, resumed."""
    path = shutil.copytree(whole, tmp_path_factory.mktemp("on") / "whole")
    assert outcome("resume", path) == ("", "")
    return (path / "losses.bin").read_bytes()


def outcome(command: str, path: Path) -> tuple[str, str]:
    """What a command prints, and its error, if any."""
    arguments = {
        "export": ["--to", str(path.parent / "packed.safetensors")],
        "replay": ["--to", str(path.parent / "weights.safetensors")],
        "verify": ["--rounds", "all"],
        "resume": ["--rounds", "5", "--workers", "0"],
    }
    out, error = StringIO(), StringIO()
    try:
        with redirect_stdout(out), redirect_stderr(error):
            application([command])([command, str(path), *arguments.get(command, [])], standalone_mode=False)
    except UserError as error:
        assert error.exit_code == 2
        return "", str(error)
    return out.getvalue(), ""


@pytest.mark.parametrize("command", [*COMMANDS, "resume"])
@given(name=st.sampled_from(FILES), place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), cut=st.booleans())
@settings(max_examples=80)
def test_a_damaged_file_is_named_or_does_no_harm(whole, printed, losses_when_resumed, command, name, place, bit, cut):
    with tempfile.TemporaryDirectory() as folder:
        path = shutil.copytree(whole, Path(folder) / "whole")
        content = bytearray((path / name).read_bytes())
        position = int(place * len(content))
        if cut:
            del content[position:]
        else:
            content[position] ^= 1 << bit
        (path / name).write_bytes(content)
        before = {file: file.read_bytes() for file in path.iterdir()}
        text, error = outcome(command, path)
        if command == "resume" and not error:
            assert losses_when_resumed.startswith((path / "losses.bin").read_bytes())
            assert StoredRun(path).result.rounds >= ROUNDS
            return
        assert {file: file.read_bytes() for file in path.iterdir()} == before
        if error:
            assert "\n" not in error
        else:
            assert text == printed[command]


@pytest.mark.parametrize("command", [*COMMANDS, "resume"])
@pytest.mark.parametrize("content", [{}, {"manifest.json": b"{}"}, {"manifest.json": b'{"name": "another program"}'}])
def test_empty_folders_and_those_of_other_programs_are_refused(tmp_path, command, content):
    path = tmp_path / "folder"
    path.mkdir()
    for name, text in content.items():
        (path / name).write_bytes(text)
    sentence = outcome(command, path)[1]
    assert "is not a distsearch run" in sentence or "not written by distsearch" in sentence
    assert sorted(file.name for file in path.iterdir()) == sorted(content)


@pytest.mark.parametrize("command", [*COMMANDS, "resume"])
def test_a_newer_format_is_refused(tmp_path, whole, command):
    path = shutil.copytree(whole, tmp_path / "whole")
    manifest = msgspec.structs.replace(StoredRun(path).manifest, format=directory.FORMAT + 1)
    (path / "manifest.json").write_bytes(sealed_json(manifest))
    assert "was written by a newer distsearch" in outcome(command, path)[1]


READERS = {
    "manifest.json": [*COMMANDS, "resume"],
    "result.json": ["show", "verify", "replay"],
    "history.jsonl": ["show", "verify", "replay", "resume"],
    "checkpoint.safetensors": ["verify", "resume"],
}
"""The commands that read each file."""


@pytest.mark.parametrize(("name", "command"), [(name, each) for name, readers in READERS.items() for each in readers])
def test_unlimited_nesting_is_reported_as_damage(tmp_path, whole, command, name):
    path = shutil.copytree(whole, tmp_path / "whole")
    deep = b'{"deep":' + b"[" * 100_000
    if name == "checkpoint.safetensors":
        header = msgspec.json.encode({"__metadata__": {"distsearch": deep.decode()}})
        deep = struct.pack("<Q", len(header)) + header
        (path / "previous.safetensors").write_bytes(deep)
    (path / name).write_bytes(deep + b"\n")
    assert "damaged" in outcome(command, path)[1]


@pytest.mark.parametrize("rounds", ["9" * 5000, "0" * 5000 + "9", "40", "41"])
def test_any_number_of_rounds_can_be_verified(whole, rounds):
    done = bound_by_permissions("verify", str(whole), "--rounds", rounds)
    assert done.returncode == 0, done.stderr
    assert f"all candidates of {min(ROUNDS, int(rounds[-3:]))} of them evaluated again: identical" in done.stdout


@pytest.mark.parametrize("command", [*COMMANDS, "resume"])
@pytest.mark.parametrize("mode", [0o000, 0o444])
def test_a_run_without_permission_to_enter_is_refused_in_a_sentence(tmp_path, whole, command, mode):
    path = shutil.copytree(whole, tmp_path / "whole")
    path.chmod(mode)
    extra = {
        "export": ["--to", f"{gettempdir()}/never-written.json"],
        "replay": ["--to", "/dev/null"],
        "resume": ["--rounds", "5", "--workers", "0"],
    }
    done = bound_by_permissions(command, str(path), *extra.get(command, []))
    path.chmod(0o755)
    assert done.returncode == 2, done.stderr
    assert "ermission denied" in done.stderr
    assert done.stderr.count("\n") == 1
    assert sorted(file.name for file in path.iterdir()) == FILES


def test_a_run_without_permission_to_enter_does_not_hide_others_from_a_list(tmp_path, whole):
    for name in ("closed", "open"):
        shutil.copytree(whole, tmp_path / name)
    (tmp_path / "closed").chmod(0)
    done = bound_by_permissions("list", "--runs", str(tmp_path))
    (tmp_path / "closed").chmod(0o755)
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["run", "open"]


def test_a_run_without_permission_to_write_is_not_resumed(tmp_path, whole):
    path = shutil.copytree(whole, tmp_path / "whole")
    for file in path.iterdir():
        file.chmod(0o444)
    path.chmod(0o555)
    done = bound_by_permissions("resume", str(path), "--rounds", "5", "--workers", "0")
    assert done.returncode == 2, done.stderr
    assert "cannot write to the run" in done.stderr
    assert "Traceback" not in done.stderr
    assert bound_by_permissions("verify", str(path)).returncode == 0
    path.chmod(0o755)
