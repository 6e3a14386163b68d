"""Files that are written whole or not at all."""

import errno
import os
from pathlib import Path
from threading import Thread

import pytest
from processes import bound_by_permissions
from waiting import PATIENCE

from distsearch.runs import files


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a"
    files.write_whole(path, b"old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        files.write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_partial_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, share):
    path = tmp_path / "checkpoint.safetensors"
    files.write_whole(path, b"the old one")
    opened = Path.open

    def open_short(self, mode="r", *given, **more):
        file = opened(self, mode, *given, **more)
        if "w" in mode:
            whole = file.write

            class Short:
                def __enter__(self):
                    return self

                def __exit__(self, *error):
                    file.close()

                def write(self, content):
                    whole(content[: int(share * len(content))])
                    raise OSError(errno.ENOSPC, "No space left on device")

            return Short()
        return file

    monkeypatch.setattr(Path, "open", open_short)
    with pytest.raises(OSError, match="No space left on device"):
        files.write_whole(path, b"the new one", tmp_path / "previous.safetensors")
    assert [each.name for each in tmp_path.iterdir()] == ["checkpoint.safetensors"]
    assert path.read_bytes() == b"the old one"


def test_a_user_s_output_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    files.write_output(path, b"first")
    assert path.read_bytes() == b"first"
    path.chmod(0o640)
    files.write_output(path, b"second")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"second", 0o640)

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        files.write_output(path, b"third")
    assert path.read_bytes() == b"second"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_is_followed_and_stays_a_link(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "a.csv").write_bytes(b"old")
    (tmp_path / "link").symlink_to("there/a.csv")
    (tmp_path / "new").symlink_to("there/b.csv")
    files.write_output(tmp_path / "link", b"1")
    files.write_output(tmp_path / "new", b"2")
    assert (tmp_path / "link").readlink() == Path("there/a.csv")
    assert {each.name: each.read_bytes() for each in (tmp_path / "there").iterdir()} == {"a.csv": b"1", "b.csv": b"2"}


def test_devices_and_pipes_are_written_to_and_not_replaced(tmp_path):
    files.write_output(Path("/dev/null"), b"gone")
    assert Path("/dev/null").is_char_device()
    with pytest.raises(OSError, match="No space left"):
        files.write_output(Path("/dev/full"), b"nowhere to go")
    os.mkfifo(tmp_path / "pipe")
    read: list[bytes] = []
    reader = Thread(target=lambda: read.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    files.write_output(tmp_path / "pipe", b"through")
    reader.join(PATIENCE)
    assert read == [b"through"]
    assert (tmp_path / "pipe").is_fifo()


def test_a_read_only_file_is_not_replaced(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"mine")
    path.chmod(0o444)
    program = (
        "from pathlib import Path; from distsearch.runs.files import write_output;"
        f"write_output(Path({str(path)!r}), b'x')"
    )
    done = bound_by_permissions(program=program)
    assert "PermissionError" in done.stderr
    assert path.read_bytes() == b"mine"
