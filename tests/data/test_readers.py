import gzip
import io
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from features import read_features
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from distsearch.data.datasets import Schema, load, read_examples
from distsearch.errors import DataError

FOUR = Schema(("x0", "x1", "x2", "x3"), "", ("0", "1"), 2, None, None)
in_one_folder = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])


def idx(values, code: int = 0x08, kind: str = ">u1") -> bytes:
    array = np.asarray(values, kind)
    head = bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.tobytes()


def npz(**arrays) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def parquet_of(**columns) -> bytes:
    file = io.BytesIO()
    parquet.write_table(pa.table(columns), file)
    return file.getvalue()


IMAGES = [[[0, 51], [102, 153]], [[204, 255], [0, 0]], [[1, 2], [3, 4]]]
LABELS = [7, 3, 7]


@pytest.fixture
def write(tmp_path):
    def write(**files: bytes) -> str:
        """Write files, with _ in keywords for - and __ for a dot; returns the path of the first."""
        paths = [tmp_path / name.replace("__", ".").replace("_", "-") for name in files]
        for path, content in zip(paths, files.values(), strict=True):
            path.write_bytes(content)
        return str(paths[0])

    return write


def refused(path: str, read: Callable[[str], object] = lambda path: load(path, numbers=False)) -> str:
    with pytest.raises(DataError) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# IDX


@pytest.mark.parametrize("numbers", [False, True])
@pytest.mark.parametrize("packed", [(), ("images",), ("labels",), ("images", "labels")])
@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("train_images_idx3_ubyte", "train_labels_idx1_ubyte"),
        ("t10k_images__idx3_ubyte", "t10k_labels__idx1_ubyte"),
        ("emnist_images", "emnist_labels"),
    ],
)
def test_images_are_read_with_the_labels_beside_them(write, images, labels, packed, numbers):
    image_bytes, label_bytes = idx(IMAGES), idx(LABELS)
    if "images" in packed:
        images, image_bytes = f"{images}__gz", gzip.compress(image_bytes)
    if "labels" in packed:
        labels, label_bytes = f"{labels}__gz", gzip.compress(label_bytes)
    data = load(write(**{images: image_bytes, labels: label_bytes}), numbers=numbers)
    assert (
        data.train.features.tolist() == (np.float32([[0, 51, 102, 153], [204, 255, 0, 0], [1, 2, 3, 4]]) / 255).tolist()
    )
    assert data.train.features[0, 1] == np.float32(0.2)
    assert data.train.targets.tolist() == [1, 0, 1]
    assert data.schema == Schema(("x0", "x1", "x2", "x3"), "", ("3", "7"), 2, None, None, "|u1", shape=(2, 2, 1))


@pytest.mark.parametrize(("code", "kind"), [(0x09, ">i1"), (0x0B, ">i2"), (0x0C, ">i4"), (0x0D, ">f4"), (0x0E, ">f8")])
def test_every_type_but_bytes_is_read_unchanged(write, code, kind):
    images = [[[1, -2], [3, 4]], [[5, 6], [7, -8]]]
    path = write(a_images=idx(images, code, kind), a_labels=idx([1, 0], code, kind))
    train = load(path, numbers=False).train
    assert train.features.dtype == np.float32
    assert train.features.tolist() == [[1, -2, 3, 4], [5, 6, 7, -8]]
    assert train.targets.tolist() == [1, 0]


def test_t10k_files_in_a_folder_are_its_test_set(write):
    path = write(
        train_images_idx3_ubyte=idx(IMAGES),
        train_labels_idx1_ubyte=idx(LABELS),
        t10k_images_idx3_ubyte=idx(IMAGES[:2]),
        t10k_labels_idx1_ubyte=idx([3, 3]),
    )
    folder = os.path.dirname(path)
    data = load(folder, numbers=False)
    assert len(data.train.features) == 3
    assert data.test is not None
    assert data.test.features.tolist() == data.train.features[:2].tolist()
    assert data.test.targets.tolist() == [0, 0]
    assert read_examples(folder, data.schema).targets.tolist() == [0, 0]  # as new data, the test set is read
    assert read_features(folder, data.schema).shape == (2, 4)
    assert read_features(path, data.schema).shape == (3, 4)
    Path(folder, "t10k-images-idx3-ubyte").unlink()
    assert load(folder, numbers=False).test is None


def test_unpacked_files_are_preferred_to_packed_ones(write, monkeypatch):
    path = write(
        train_images_idx3_ubyte__gz=b"", train_images_idx3_ubyte=idx(IMAGES), train_labels_idx1_ubyte=idx(LABELS)
    )
    monkeypatch.setattr("os.listdir", lambda _: ["train-images-idx3-ubyte.gz", "train-images-idx3-ubyte"])
    assert len(load(os.path.dirname(path), numbers=False).train.features) == 3


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"a_images": idx(IMAGES)}, "but there is no a-labels (nor a-labels.gz)"),
        ({"a": idx(IMAGES)}, "expected 'images' in the name"),
        ({"a_images": idx(IMAGES), "a_labels": idx([1, 2])}, "expected 3 labels, one per image of"),
        ({"a_images": idx(IMAGES), "a_labels": idx([[1], [2], [3]])}, "got (3, 1)"),
        ({"a_images": idx(LABELS), "a_labels": idx(LABELS)}, "expected images, got 3 single values"),
        ({"a_images": idx(IMAGES)[:-1]}, "expected 28 bytes for shape (3, 2, 2) in its header, got 27"),
        ({"a_images": idx(IMAGES) + b"\0"}, "expected 28 bytes for shape (3, 2, 2) in its header, got 29"),
        ({"a_images": idx(np.zeros((0, 2, 2)))}, "expected 16 bytes for shape (0, 2, 2)"),
        ({"a_images": idx(IMAGES)[:9]}, "does not begin like an IDX file"),
        ({"a_images": b"\0\0\x08\x41" + b"\0\0\0\1" * 65 + b"\7"}, "does not begin like an IDX file"),
        ({"a_images": b"\0\0\x08"}, "does not begin like an IDX file"),
        ({"a_images": b"\0\0\x0a\1\0\0\0\1\0"}, "does not begin like an IDX file"),
        ({"a__doc": b"x,y\n1,2\n"}, "expected a .csv, .tsv, .xlsx, .parquet, .arrow, .jsonl, .npz or IDX file, but"),
        (
            {"a_images": gzip.compress(idx(IMAGES), mtime=0)[:-4]},
            "an IDX file, but it is something else or damaged",
        ),
    ],
)
def test_unusable_idx_files_are_refused(write, files, sentence):
    assert sentence in refused(write(**files))


def test_features_alone_need_no_labels(write):
    assert read_features(write(a=idx(IMAGES)), FOUR).shape == (3, 4)


# NPZ


def test_npz_with_x_and_y_is_read_unchanged(write):
    path = write(a__npz=npz(X=np.array(IMAGES, np.uint8), y=np.array(["b", "a", "b"])))
    data = load(path, numbers=False)
    assert data.train.features.tolist() == np.array(IMAGES).reshape(3, 4).tolist()
    assert data.train.targets.tolist() == [1, 0, 1]
    assert data.schema == Schema(("x0", "x1", "x2", "x3"), "", ("a", "b"), 2, None, None, "<U1", shape=(2, 2, 1))


def test_npz_may_hold_the_targets_of_a_regression(write):
    path = write(a__npz=npz(x=[[1], [2]], y=[[0.5, 1], [2, 3]]))
    data = load(path, numbers=True)
    assert data.train.targets.tolist() == [[0.5, 1], [2, 3]]
    assert (data.schema.classes, data.schema.outputs) == (None, 2)


def test_npz_in_the_layout_of_keras_brings_its_test_set(write):
    path = write(a__npz=npz(x_train=IMAGES, y_train=LABELS, x_test=IMAGES[:1], y_test=[3]))
    data = load(path, numbers=False)
    assert data.train.targets.tolist() == [1, 0, 1]
    assert data.test is not None
    assert data.test.features.tolist() == [[0, 51, 102, 153]]
    assert data.test.targets.tolist() == [0]
    assert read_features(path, data.schema).shape == (1, 4)
    assert read_examples(path, data.schema).targets.tolist() == [0]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (npz(X=[[1], [2]]), "expected arrays X and y, or x_train, y_train, x_test and y_test, got 'X'"),
        (npz(x_train=[[1], [2]], y_train=[1, 2], x_test=[[1]]), "got 'x_train', 'y_train', 'x_test'"),
        (npz(x_train=[[1], [2]], y_train=[1, 2], x_test=[[1]], y_test=[5]), "(x_test), index 0: expected a label"),
        (npz(x_train=[[1], [2]], y_train=[1, 2], x_test=[[1, 2]], y_test=[1]), "expected the training feature, got 2"),
        (npz(X=[[1], [2]], y=[1, 2, 3]), "expected one target per example, got 3 for 2 examples"),
        (npz(X=np.array([[1], [None]]), y=[1, 2]), "Object arrays cannot be loaded"),
        (npz(X=[[b"p"], [b"q"]], y=[1, 2]), "expected numeric features, got |S1"),
        (npz(X=[1, 2], y=[1, 2]), "expected features of shape (examples, features), got (2,)"),
        (b"no zip file", "to be an NPZ file with arrays of numbers or text, but it is something else or damaged"),
        (b"", "to be an NPZ file"),
    ],
)
def test_unusable_npz_files_are_refused(write, content, sentence):
    assert sentence in refused(write(a__npz=content))


def test_no_pickle_is_ever_loaded(write, tmp_path):
    class Trap:
        def __reduce__(self):
            return Path.touch, (tmp_path / "sprung",)

    assert "Object arrays" in refused(write(a__npz=npz(X=np.array([[Trap()], [Trap()]]), y=[1, 2])))
    assert not (tmp_path / "sprung").exists()


def test_a_member_of_npz_that_is_not_an_array_is_refused(write):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as content:
        content.writestr("X.npy", b"not an array")
        content.writestr("y.npy", b"not an array")
    assert "expected X to be an array, but it is damaged" in refused(write(a__npz=file.getvalue()))


# All files


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.npz", "a-images-idx3-ubyte"])
def test_unreadable_paths_are_refused(tmp_path, name):
    path = tmp_path / name
    assert f"expected a data file, but {path} does not exist" in refused(str(path))
    os.mkfifo(path)
    assert f"{path} is a pipe or a device" in refused(str(path))
    path.unlink()
    path.mkdir()
    assert f"{path} is a folder without train-images" in refused(str(path))


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.npz", "a-images-idx3-ubyte"])
def test_a_file_without_read_permission_is_refused(tmp_path, monkeypatch, name):
    path = tmp_path / name
    path.write_bytes(b"x,t\n1,a\n")
    system_open = open

    def closed(file, *others, **settings):
        if str(file) == str(path):
            raise PermissionError(13, "Permission denied")
        return system_open(file, *others, **settings)

    monkeypatch.setattr("builtins.open", closed)  # root, who runs tests in containers, may read every file
    assert refused(str(path)) == f"cannot read {path}: Permission denied"


@pytest.mark.parametrize("content", [npz(X=np.ones((2, 3))), npz(X=np.ones((2, 1, 5)))])
def test_new_data_must_have_as_many_features(write, content):
    sentence = refused(write(a__npz=content), lambda path: read_features(path, FOUR))
    assert "expected the 4 training features, got " in sentence


SOUND = {
    "a.npz": npz(X=np.arange(40.0).reshape(10, 4), y=[0, 1] * 5),
    "a.parquet": parquet_of(x0=range(10), x1=range(10), x2=range(10), x3=range(10), y=["0", "1"] * 5),
    "a-images-idx3-ubyte": idx(np.arange(40).reshape(10, 2, 2)),
    "b-images-idx3-ubyte": gzip.compress(idx(np.arange(40).reshape(10, 2, 2))),
}


@pytest.mark.parametrize("name", SOUND)
@given(where=st.data())
@in_one_folder
def test_damaged_bytes_raise_nothing_but_a_data_error(tmp_path: Path, name, where):
    content = bytearray(SOUND[name])
    if where.draw(st.booleans(), "cut short"):
        del content[where.draw(st.integers(0, len(content) - 1), "at") :]
    else:
        for bit in where.draw(st.lists(st.integers(0, 8 * len(content) - 1), min_size=1, max_size=5), "bits"):
            content[bit // 8] ^= 1 << bit % 8
    path = tmp_path / name
    path.write_bytes(content)
    if "idx3" in name:
        (tmp_path / name.replace("images-idx3", "labels-idx1")).write_bytes(idx([0, 1] * 5))
    for read in (lambda: load(str(path), numbers=False, scale=True), lambda: read_features(str(path), FOUR)):
        try:
            values = getattr(read(), "train", None)
        except DataError:
            continue
        assert values is None or np.isfinite(values.features).all()


@pytest.mark.parametrize("name", SOUND)
@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.99])
def test_a_truncated_file_is_never_read_as_if_it_were_whole(tmp_path, name, share):
    path = tmp_path / name
    path.write_bytes(SOUND[name][: int(share * len(SOUND[name]))])
    assert str(path) in refused(str(path), lambda path: read_features(path, FOUR))
