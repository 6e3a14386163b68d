from itertools import accumulate
from math import log

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distsearch.errors import StorageError
from distsearch.runs.directory import FORMAT, Manifest
from distsearch.runs.documents import sealed_json
from distsearch.runs.events import Event, Share
from distsearch.storage.index import INDEX, HashingStream, Index, Part, checksum, identity, kept_parts, read_index
from distsearch.storage.places import Folder

EMPTY = Index(identity="1", owner="2", rounds=3, files={})
MANIFEST = Manifest(created="2026", machine={"b": "1", "a": "2"}, weights=3, examples=9, fingerprint="4", data={})


def part(size: int) -> Part:
    return Part("objects/a", size, "")


def sizes(parts) -> list[int]:
    return [each.bytes for each in parts]


@pytest.mark.parametrize(
    ("before", "size", "kept"),
    [
        ([], 10, []),
        ([100], 100, [100]),  # nothing new
        ([100], 150, [100]),  # twice as long as what is new
        ([100], 151, []),
        ([100, 50], 175, [100, 50]),
        ([100, 50], 176, []),  # 26 are merged with 50, and the 76 with 100
        ([1000, 50], 1080, [1000]),
    ],
)
def test_a_part_twice_as_long_as_what_follows_is_kept(before, size, kept):
    assert sizes(kept_parts([part(each) for each in before], size)) == kept


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=200))
def test_parts_stay_few_and_no_byte_is_sent_many_times(added):
    parts: tuple[Part, ...] = ()
    sent = 0
    for size in accumulate(added):
        kept = kept_parts(parts, size)
        new = size - sum(sizes(kept))
        sent += new
        parts = (*kept, part(new))
        assert sum(sizes(parts)) == size
        assert len(parts) <= log(size, 2) + 1
    assert sent <= sum(added) * (log(sum(added), 1.5) + 1)


def test_an_index_is_read_back_and_a_changed_one_is_refused(tmp_path):
    place = Folder(tmp_path)
    assert read_index(place) is None
    content = sealed_json(EMPTY)
    place.write(INDEX, [content])
    assert read_index(place) == EMPTY
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 1
        place.write(INDEX, [bytes(damaged)])
        try:
            assert read_index(place) == EMPTY  # white space
        except StorageError as error:
            assert "index.json" in str(error)


def test_a_newer_format_is_refused(tmp_path):
    Folder(tmp_path).write(INDEX, [sealed_json(msgspec.structs.replace(EMPTY, format=FORMAT + 1))])
    with pytest.raises(StorageError, match="newer distsearch"):
        read_index(Folder(tmp_path))


def test_the_index_of_another_program_is_recognised(tmp_path):
    Folder(tmp_path).write(INDEX, [sealed_json(msgspec.structs.replace(EMPTY, program="other"))])
    with pytest.raises(StorageError, match="is not a run of distsearch but of other"):
        read_index(Folder(tmp_path))


def test_identity_depends_on_what_made_the_run_and_not_on_its_workers():
    made = identity(MANIFEST, 0)
    assert identity(msgspec.structs.replace(MANIFEST, workers=({"host": "x"},)), 0) == made
    joined = (Event(round=0, seconds=0.5, workers=2, retried=1),)
    shares = (Share(host="x", units=3, busy=0.5, joined=1.0),)
    assert identity(msgspec.structs.replace(MANIFEST, events=joined, shares=shares), 0) == made
    assert identity(msgspec.json.decode(msgspec.json.encode(MANIFEST), type=Manifest), 0) == made
    assert identity(MANIFEST, 1) != made
    assert identity(msgspec.structs.replace(MANIFEST, created="2027"), 0) != made
    assert identity(msgspec.structs.replace(MANIFEST, fingerprint="5"), 0) != made


def test_bytes_passing_through_are_counted_and_hashed():
    stream = HashingStream([b"ab", b"", b"c"])
    assert b"".join(stream) == b"abc"
    assert stream.part("objects/a") == Part("objects/a", 3, checksum([b"abc"]))
    assert checksum([b"abc"]) == checksum([b"a", b"bc"]) != checksum([b"abd"])
