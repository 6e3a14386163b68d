"""Which files travel with a job, and which do not."""

import io
import zipfile
from pathlib import Path

import pytest

from distsearch.errors import DataError, UserError
from distsearch.jobs import parcel
from distsearch.jobs.parcel import data_files, extras_for, job_path, read_files, runtime_environment
from distsearch.jobs.wheel import Wheel


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    names = ["my.csv", "data/my.npz", "data/train-images-idx3-ubyte.gz", "data/train-labels-idx1-ubyte.gz"]
    for name in [*names, "data/t10k-images-idx3-ubyte", "data/t10k-labels-idx1-ubyte", "data/notes.txt", "digits"]:
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def test_a_file_inside_the_folder_keeps_its_path(here):
    assert data_files("my.csv") == ("my.csv", {"my.csv": Path("my.csv")})
    assert data_files("./data/../data/my.npz") == ("data/my.npz", {"data/my.npz": Path("./data/../data/my.npz")})
    assert data_files(f"{here}/data/my.npz") == ("my.npz", {"my.npz": here / "data/my.npz"})
    assert job_path("../other/my.csv") == "my.csv"


def test_images_travel_with_their_labels_and_a_folder_without_its_other_files(here):
    images = "data/t10k-images-idx3-ubyte"
    labels = images.replace("images-idx3", "labels-idx1")
    assert data_files(images) == (images, {images: Path(images), labels: Path(labels)})
    name, files = data_files("data")
    assert name == "data"
    parts = ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", images[5:], labels[5:])
    assert files == {f"data/{part}": Path(f"data/{part}") for part in parts}
    assert set(data_files(f"{here}/data")[1]) == set(files)


def test_built_in_data_and_remote_paths_do_not_travel(here):
    assert data_files("digits") == ("digits", {})  # though there is a file of that name
    assert data_files("/mnt/there.csv") == ("/mnt/there.csv", {})
    with pytest.raises(DataError, match="unknown data set 'digist': did you mean 'digits'"):
        data_files("digist")


def test_files_too_large_or_unreadable_are_refused_with_what_to_do(here, monkeypatch):
    files = {"my.csv": Path("my.csv"), "digits": Path("digits")}
    assert read_files(files) == {"my.csv": b"my.csv", "digits": b"digits"}
    monkeypatch.setattr(parcel, "MOST_BYTES", 11)
    with pytest.raises(DataError, match=r"expected files to send of at most .* with --no-files"):
        read_files(files)
    with pytest.raises(UserError, match=r"cannot read gone\.csv: No such file"):
        read_files({"gone.csv": Path("gone.csv")})


def test_the_extra_that_a_data_set_needs_is_known():
    sources = ("vertical", "digits", "breast-cancer", "my.PARQUET", "my.csv")
    assert [extras_for(source) for source in sources] == ["", "datasets", "datasets", "parquet", ""]


def test_nothing_to_send_makes_an_empty_environment(tmp_path):
    assert runtime_environment({}, None, tmp_path) == {}
    assert list(tmp_path.iterdir()) == []


def test_the_package_holds_the_files_and_the_wheel_named_to_pip(tmp_path):
    environment = runtime_environment({"data/my.csv": b"1,2"}, "datasets", tmp_path)
    package = zipfile.ZipFile(io.BytesIO(Path(environment["working_dir"]).read_bytes()))
    assert package.read("data/my.csv") == b"1,2"
    [requirement] = environment["pip"]
    path = requirement.removeprefix("${RAY_RUNTIME_ENV_CREATE_WORKING_DIR}/").removesuffix("[datasets]")
    assert path.endswith(".whl")
    assert set(package.namelist()) == {"data/my.csv", path}
    assert "[" not in runtime_environment({}, "", tmp_path)["pip"][0]


def test_a_changed_wheel_changes_the_requirement(tmp_path, monkeypatch):
    """Otherwise Ray would reuse the installation of the earlier wheel."""
    requirements = set()
    for content in (b"one", b"two"):
        monkeypatch.setattr(parcel, "own_wheel", lambda content=content: Wheel("x.whl", content))
        requirements |= set(runtime_environment({}, "", tmp_path)["pip"])
    assert len(requirements) == 2
