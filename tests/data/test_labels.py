import numpy as np
import pytest

from distsearch.data.labels import is_type, labels_of, text_of, type_of


def returned(labels: np.ndarray) -> np.ndarray:
    """The labels after a round trip through text."""
    word = type_of(labels, labels.tolist())
    assert word is not None
    assert is_type(word)
    return labels_of([text_of(label, word) for label in labels], word)


def of_objects(*labels) -> np.ndarray:
    return np.array([*labels, None], object)[:-1]


@pytest.mark.parametrize(
    "labels",
    [
        np.array([True, False]),
        *[np.array([0, 100], kind) for kind in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", ">i4", ">u8")],
        np.array([2**64 - 1, 2**53 + 1], np.uint64),
        np.array([-(2**63), 2**63 - 1]),
        *[np.array([0.1, 1, -0.0, 1e20, 1e-20], kind) for kind in ("f4", "f8", ">f4", "g")],
        np.array([0.1, 65504], np.float16),
        np.array(["01", "1.0", "1", "é", " a"]),
        np.array(["a", "b"], "<U9"),
        np.array(["a", "longer than most"], "T"),
        np.array([b"01", b"1.0"]),
        of_objects("01", "1"),
        of_objects(b"caf\xc3\xa9", b"1"),
        of_objects(1, 2**70, -3),
        of_objects(True, False),
        of_objects(1.0, 2.5, 0.1),
    ],
    ids=lambda labels: f"{labels.dtype} {labels[0]!r}",
)
def test_labels_come_back_with_their_value_and_type(labels):
    found = returned(labels)
    assert found.dtype == labels.dtype
    assert found.tolist() == labels.tolist()
    assert list(map(type, found.tolist())) == list(map(type, labels.tolist()))


def test_numpy_scalars_come_back_as_python_objects():
    assert returned(of_objects(np.int8(3), np.float32(0.5), np.True_)).tolist() == [3, 0.5, True]


def test_objects_of_mixed_types_have_no_type_name():
    assert type_of(np.array([1, "1"], object), [1, "1"]) is None


@pytest.mark.parametrize("word", ["", "nonsense", "O", "M8[D]", "V3", "c8"])
def test_unknown_type_names_are_refused(word):
    assert not is_type(word)
