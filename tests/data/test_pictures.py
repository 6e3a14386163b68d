"""Folders of pictures by class."""

import io
from pathlib import Path

import numpy as np
import pytest
from features import read_features
from PIL import Image

from distsearch.data import datasets
from distsearch.data.readers import files_read
from distsearch.data.readers.pictures import are_in
from distsearch.errors import DataError
from distsearch.jobs.parcel import data_files


def draw(folder: Path, pictures: dict[str, np.ndarray]) -> Path:
    for name, pixels in pictures.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return folder


def grey(seed: int, height: int = 3, width: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


def colours(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (3, 4, 3), dtype=np.uint8)


def load(folder: Path) -> datasets.Dataset:
    return datasets.load(str(folder), numbers=False)


def test_folders_are_classes_and_their_pictures_are_examples(tmp_path):
    drawn = {"rose/1.png": grey(1), "rose/2.PNG": grey(2), "tulip/1.png": grey(3)}
    data = load(draw(tmp_path, drawn))
    assert data.schema.classes == ("rose", "tulip")
    assert data.schema.shape == (3, 4, 1)
    assert data.train.targets.tolist() == [0, 0, 1]
    for features, pixels in zip(data.train.features, drawn.values(), strict=True):
        assert features == pytest.approx(pixels.ravel() / 255)


def test_colour_channels_come_last_and_grey_pictures_among_them_get_all_three(tmp_path):
    data = load(draw(tmp_path, {"a/1.png": colours(1), "b/1.png": grey(2)}))
    assert data.schema.shape == (3, 4, 3)
    assert data.train.features[0] == pytest.approx(colours(1).ravel() / 255)
    assert data.train.features[1] == pytest.approx(np.repeat(grey(2).ravel(), 3) / 255)


def test_pictures_of_sixteen_bits_keep_their_shades(tmp_path):
    deep = np.array([[0, 255, 256, 30000], [40000, 65535, 1, 7], [9, 8, 7, 6]], np.uint16)
    data = load(draw(tmp_path / "grey", {"a/1.png": deep, "b/1.png": grey(2)}))
    assert data.schema.shape == (3, 4, 1)
    assert data.train.features[0] == pytest.approx(deep.ravel() / 65535)
    among = load(draw(tmp_path / "mixed", {"a/1.png": deep, "b/1.png": colours(2)}))
    assert among.train.features[0] == pytest.approx(np.repeat(deep.ravel(), 3) / 65535)


def test_further_pictures_get_the_channels_of_training(tmp_path):
    in_colour = load(draw(tmp_path / "colour", {"a/1.png": colours(1), "b/1.png": colours(2)}))
    given = read_features(str(draw(tmp_path / "new", {"a/1.png": grey(3)})), in_colour.schema)
    assert given[0] == pytest.approx(np.repeat(grey(3).ravel(), 3) / 255)
    in_grey = load(draw(tmp_path / "grey", {"a/1.png": grey(1), "b/1.png": grey(2)}))
    assert read_features(str(draw(tmp_path / "newer", {"a/1.png": colours(3)})), in_grey.schema).shape == (1, 12)
    parts = {"train/a/1.png": colours(1), "train/b/1.png": grey(2), "test/a/9.png": grey(3), "test/b/9.png": grey(4)}
    both = load(draw(tmp_path / "both", parts))
    assert both.test.features[0] == pytest.approx(np.repeat(grey(3).ravel(), 3) / 255)


def test_pictures_in_a_folder_named_test_are_the_test_set(tmp_path):
    draw(
        tmp_path, {"train/a/1.png": grey(1), "train/b/1.png": grey(2), "test/a/9.png": grey(3), "test/b/9.png": grey(4)}
    )
    data = load(tmp_path)
    assert data.test is not None
    assert data.test.features[1] == pytest.approx(grey(4).ravel() / 255)
    assert data.test.targets.tolist() == [0, 1]


def test_new_pictures_need_no_classes(tmp_path):
    data = load(draw(tmp_path / "known", {"a/1.png": grey(1), "b/1.png": grey(2)}))
    draw(tmp_path / "more", {"1.png": grey(5), "2.png": grey(6)})
    read = read_features(str(tmp_path / "more"), data.schema)
    assert read == pytest.approx(np.stack([grey(5).ravel(), grey(6).ravel()]) / 255)


def test_all_pictures_travel_with_a_job_in_their_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(draw(tmp_path, {"flowers/a/1.png": grey(1), "flowers/b/1.png": grey(2)}))
    assert are_in("flowers")
    assert files_read("flowers") == ["flowers/a/1.png", "flowers/b/1.png"]
    name, files = data_files("flowers")
    assert (name, sorted(files)) == ("flowers", ["flowers/a/1.png", "flowers/b/1.png"])


def test_pictures_of_different_sizes_are_named(tmp_path):
    draw(tmp_path, {"a/1.png": grey(1), "b/2.png": grey(2, height=5)})
    with pytest.raises(DataError, match=r"pictures of one size, got '4 × 3 \(1.png\)', '4 × 5 \(2.png\)'; resize"):
        load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"not a picture"])
def test_a_damaged_picture_is_named(tmp_path, content):
    draw(tmp_path, {"a/1.png": grey(1), "b/1.png": grey(2)})
    (tmp_path / "b" / "1.png").write_bytes(content)
    with pytest.raises(DataError, match=r"b/1\.png to be a picture"):
        load(tmp_path)


def test_a_truncated_picture_is_named(tmp_path):
    whole = io.BytesIO()
    Image.fromarray(grey(2, 60, 60)).save(whole, "PNG")
    draw(tmp_path, {"a/1.png": grey(1, 60, 60), "b/1.png": grey(2, 60, 60)})
    (tmp_path / "b" / "1.png").write_bytes(whole.getvalue()[:2000])
    with pytest.raises(DataError, match=r"b/1\.png to be a picture"):
        load(tmp_path)


def test_pictures_without_classes_are_refused_for_training(tmp_path):
    draw(tmp_path, {"1.png": grey(1), "2.png": grey(2)})
    with pytest.raises(DataError, match="expected a folder for each class"):
        load(tmp_path)
