import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distsearch.errors import RunError
from distsearch.runs.documents import check_toml, read_json, sealed_json, sealed_toml


class Document(msgspec.Struct):
    name: str
    number: float
    nested: dict[str, list[int]]
    missing: float | None = None


DOCUMENT = Document("a name", 0.1, {"a": [1, 2]})


def test_a_document_is_read_back(tmp_path):
    path = tmp_path / "document.json"
    path.write_bytes(sealed_json(DOCUMENT))
    assert read_json(path, Document) == DOCUMENT
    assert list(msgspec.json.decode(path.read_bytes()))[-1] == "checksum"


@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@settings(max_examples=300)
def test_a_changed_bit_is_detected_or_changes_nothing(tmp_path_factory, place, bit):
    path = tmp_path_factory.mktemp("document") / "document.json"
    content = bytearray(sealed_json(DOCUMENT))
    content[int(place * len(content))] ^= 1 << bit
    path.write_bytes(content)
    try:
        assert read_json(path, Document) == DOCUMENT  # only white space has changed
    except RunError as error:
        assert "\n" not in str(error)
    else:
        assert msgspec.json.decode(content) == msgspec.json.decode(sealed_json(DOCUMENT))


@pytest.mark.parametrize("content", [b"", b"[1]", b'{"name": 1}', b"\xff"])
def test_a_document_of_another_kind_is_refused(tmp_path, content):
    path = tmp_path / "document.json"
    path.write_bytes(content)
    with pytest.raises(RunError, match="damaged or was not written by distsearch|has been changed"):
        read_json(path, Document)


@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@settings(max_examples=200)
def test_a_changed_bit_of_toml_is_detected(tmp_path_factory, place, bit):
    path = tmp_path_factory.mktemp("document") / "document.toml"
    content = bytearray(sealed_toml('[data]\nsource = "vertical"\n'))
    path.write_bytes(content)
    check_toml(path)
    content[int(place * len(content))] ^= 1 << bit
    path.write_bytes(content)
    with pytest.raises(RunError, match="has been changed since the run wrote it"):
        check_toml(path)
