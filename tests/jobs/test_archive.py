"""A run as text: whole, or refused."""

import io
import tarfile
import tempfile
from base64 import encodebytes
from hashlib import blake2b
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from searches import contents, resume, search

from distsearch.errors import ClusterError, RunError
from distsearch.jobs import archive
from distsearch.jobs.archive import pack, unpack
from distsearch.runs.directory import StoredRun


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    stored, _ = search(tmp_path_factory.mktemp("runs"), name="one", rounds=40)
    return stored.path


@pytest.fixture(scope="module")
def packed_bytes(run) -> bytes:
    return archive._content(pack(run))


def armoured(*members: tuple[str, bytes], kind: bytes = tarfile.REGTYPE) -> str:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size, member.type, member.linkname = len(content), kind, "/etc/passwd"
            tar.addfile(member, io.BytesIO(content))
    return armoured_bytes(target.getvalue())


def armoured_bytes(content: bytes) -> str:
    digest = blake2b(content, digest_size=16).hexdigest()
    return f"{archive.BEGIN}\n{digest}\n{encodebytes(content).decode()}{archive.END}\n"


def odd(name: str = "manifest.json", content: bytes = b"{}", headers: dict[str, str] | None = None) -> str:
    """An archive of one file, with these values in its extended header."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz", format=tarfile.PAX_FORMAT) as tar:
        member = tarfile.TarInfo(name)
        member.size, member.pax_headers = len(content), headers or {}
        tar.addfile(member, io.BytesIO(content))
    return armoured_bytes(target.getvalue())


def test_a_run_comes_back_byte_for_byte_whatever_is_printed_around_it(run, tmp_path):
    unpack(f"a warning\n{pack(run)}another\n", tmp_path / "there" / "one")
    came = {path.name: path.read_bytes() for path in (tmp_path / "there" / "one").iterdir()}
    assert came == {path.name: path.read_bytes() for path in run.iterdir()}
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["one"]
    written, read = ((path / "manifest.json").stat().st_mtime for path in (run, tmp_path / "there" / "one"))
    assert abs(written - read) <= 1


def test_a_changed_character_is_detected(run, tmp_path):
    text = pack(run)
    middle = len(text) // 2
    other = "A" if text[middle] != "A" else "B"
    for damaged in (text[:middle] + other + text[middle + 1 :], text[:middle], "", text.replace(archive.END, "")):
        with pytest.raises(ClusterError, match="the run arrived damaged: fetch it again"):
            unpack(damaged, tmp_path / "one")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../outside", "/outside", "folder/inside", "..", "."])
def test_a_path_that_escapes_the_run_is_refused_and_leaves_nothing(tmp_path, name):
    with pytest.raises(ClusterError, match="is not a file of a run"):
        unpack(armoured(("manifest.json", b"{}"), (name, b"x")), tmp_path / "in" / "one")
    assert list(tmp_path.rglob("*")) == [tmp_path / "in"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_a_member_that_is_not_a_plain_file_is_refused(tmp_path, kind):
    with pytest.raises(ClusterError, match="is not a file of a run"):
        unpack(armoured(("manifest.json", b""), kind=kind), tmp_path / "one")


@pytest.mark.parametrize(
    "headers",
    [
        *({"mtime": value} for value in ("nan", "1e300", "inf", "-1e300", "-1")),
        *({"size": value} for value in ("999999999999", "-5")),
        *({"path": value} for value in ("a\0b", "a\x1b[31m", "../outside", "a" * 300)),
        {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "999999999999"},
        {"GNU.sparse.map": "0,999999999999", "GNU.sparse.size": "999999999999"},
    ],
    ids=repr,
)
def test_odd_headers_are_refused_in_a_sentence(tmp_path, headers):
    with pytest.raises(ClusterError, match=r"^the (run arrived damaged|cluster sent) [^\n\x1b\0]*$"):
        unpack(odd(headers=headers), tmp_path / "one")
    assert list(tmp_path.iterdir()) == []


def test_an_archive_larger_than_any_run_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MOST_UNPACKED", 1_000_000)
    for text in (odd(content=bytes(2_000_000)), armoured(*[(f"file-{number}", bytes(300_000)) for number in range(5)])):
        with pytest.raises(ClusterError, match="the cluster sent an archive that unpacks to more than 1 MB"):
            unpack(text, tmp_path / "one")
        assert list(tmp_path.iterdir()) == []


@settings(max_examples=300)
@given(place=st.floats(0, 1, exclude_max=True), change=st.integers(1, 255), cut=st.booleans())
def test_mutated_bytes_raise_nothing_but_a_one_line_error(packed_bytes, place, change, cut):
    """The checksum fits, as a hostile cluster could make it."""
    content = bytearray(packed_bytes)
    position = int(place * len(content))
    if cut:
        del content[position:]
    else:
        content[position] ^= change
    with tempfile.TemporaryDirectory() as folder:
        try:
            unpack(armoured_bytes(bytes(content)), Path(folder) / "one")
        except (ClusterError, RunError) as error:
            assert "\n" not in str(error)
            assert list(Path(folder).iterdir()) == []


def test_an_archive_that_is_not_a_run_is_refused(tmp_path):
    with pytest.raises(RunError, match=r"it has no manifest\.json"):
        unpack(armoured(("other", b"x")), tmp_path / "one")
    assert list(tmp_path.iterdir()) == []


def test_an_existing_run_is_never_overwritten(run, tmp_path):
    (tmp_path / "one").mkdir()
    with pytest.raises(RunError, match="one already exists: choose another folder with --to"):
        unpack(pack(run), tmp_path / "one")
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_a_run_too_large_to_send_is_refused_with_its_place(run, monkeypatch):
    monkeypatch.setattr(archive, "MOST_BYTES", 100)
    with pytest.raises(RunError, match=r"one is .* MB packed, .*: copy the directory from the cluster's head"):
        pack(run)


def test_a_run_in_progress_is_packed_as_a_crash_would_leave_it(tmp_path):
    """Packed halfway, it resumes to the bytes of the run that it was packed from."""
    texts = []

    def watch(row, state, workers):
        if row.round in (20, 31):
            texts.append(pack(tmp_path / "here" / "one"))

    stored, _ = search(tmp_path / "here", watch, name="one", rounds=60)
    for number, text in enumerate(texts):
        unpack(text, tmp_path / "there" / f"{number}")
        taken = StoredRun(tmp_path / "there" / f"{number}")
        assert taken.result is None
        resume(taken.path)
        assert contents(taken.path) == contents(stored.path)


def test_files_that_the_system_has_left_beside_a_run_stay_there(run, tmp_path):
    folder = tmp_path / "one"
    unpack(pack(run), folder)
    (folder / ".DS_Store").write_bytes(b"")
    (folder / ".nfs0001").write_bytes(b"")
    unpack(pack(folder), tmp_path / "two")
    assert contents(tmp_path / "two") == contents(run)


def test_files_replaced_while_being_read_are_read_again(run, tmp_path, monkeypatch):
    """A checkpoint is never packed with the best weights of another moment."""
    read, copies = Path.read_bytes, []
    folder = tmp_path / "one"
    unpack(pack(run), folder)

    def replacing(path: Path) -> bytes:
        content = read(path)
        if path.parent == folder and len(copies) < 3:
            new = folder / "checkpoint.safetensors.temporary"
            new.write_bytes(f"copy {len(copies)}".encode())
            copies.append(new.replace(folder / "checkpoint.safetensors"))
        return content

    monkeypatch.setattr(Path, "read_bytes", replacing)
    monkeypatch.setattr(archive, "PAUSE_SECONDS", 0.0)
    assert ("checkpoint.safetensors", b"copy 2") in [(name, content) for name, content, _ in archive._snapshot(folder)]
    monkeypatch.setattr(archive, "TRIES", 1)
    copies.clear()
    with pytest.raises(RunError, match="changes faster than it can be read: stop its search first"):
        pack(folder)
