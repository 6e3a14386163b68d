"""The wheel built from the running distsearch: pip installs it, and it runs."""

import hashlib
import io
import subprocess
import sys
import zipfile
from base64 import urlsafe_b64encode

import pytest

from distsearch import __version__
from distsearch.jobs.wheel import own_wheel


def test_the_same_files_make_the_same_wheel():
    assert own_wheel() == own_wheel()


def test_its_record_names_every_file_with_its_checksum():
    wheel = zipfile.ZipFile(io.BytesIO(own_wheel().content))
    record = wheel.read(f"distsearch-{__version__}.dist-info/RECORD").decode().splitlines()
    assert len(record) == len(wheel.namelist())
    for line in record[:-1]:
        name, checksum, size = line.split(",")
        content = wheel.read(name)
        digest = urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        assert (checksum, int(size)) == (f"sha256={digest}", len(content))
    assert {"distsearch/py.typed", "distsearch/guide/changelog.md"} <= set(wheel.namelist())
    assert not [name for name in wheel.namelist() if "__pycache__" in name]


def test_pip_installs_it_and_it_runs(tmp_path):
    pytest.importorskip("pip")
    wheel = own_wheel()
    (tmp_path / wheel.name).write_bytes(wheel.content)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target"]
    subprocess.run([*pip, str(tmp_path / "there"), str(tmp_path / wheel.name)], check=True, cwd=tmp_path)
    program = [sys.executable, "-c", "import distsearch; print(distsearch.__file__, distsearch.__version__)"]
    done = subprocess.run(
        program, env={"PYTHONPATH": str(tmp_path / "there")}, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{tmp_path}/there/distsearch/__init__.py {__version__}\n"
    assert (tmp_path / "there" / "bin" / "distsearch").exists()
