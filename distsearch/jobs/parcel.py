"""What is sent with a job: small files named in its command, and distsearch itself if the cluster lacks it."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distsearch.data import generators
from distsearch.data.datasets import is_built_in
from distsearch.data.readers import files_read, name_for
from distsearch.errors import DataError, UserError
from distsearch.jobs.wheel import own_wheel, zip_files

EXTRAS = {"png": "images", "parquet": "parquet", "arrow": "parquet", "xlsx": "excel"}  # by the reader that needs one
MOST_BYTES = 100_000_000  # what Ray accepts over HTTP, leaving room for the wheel
WORKING_DIRECTORY = "${RAY_RUNTIME_ENV_CREATE_WORKING_DIR}"  # pip expands it on each node

Files = Mapping[str, Path]
"""Files to send: their path in the job's working directory, and their path here."""


def data_files(source: str, reader: str = "") -> tuple[str, Files]:
    """The name of a data set for a job, and its files to send: none if it is built in or not on this machine.

    Raises DataError if the source is neither the name of a data set nor a path.
    """
    if is_built_in(source) or not os.path.exists(source):
        return source, {}
    name = job_path(source)
    whole = os.path.isdir(source)
    folder, root = (Path(name), source) if whole else (Path(name).parent, os.path.dirname(source))
    return name, {
        (folder / os.path.relpath(path, root or ".")).as_posix(): Path(path) for path in files_read(source, reader)
    }


def job_path(path: str) -> str:
    """The path of a local file within a job's folder: unchanged, unless that would lead outside of it."""
    plain = Path(os.path.normpath(path))
    return plain.name if plain.is_absolute() or ".." in plain.parts else plain.as_posix()


def extras_for(source: str, reader: str = "") -> str:
    """The distsearch extra that a data set needs, which is read by the reader of this name, if one is chosen."""
    if source in generators.BUNDLED:
        return "datasets"
    return EXTRAS.get(reader or name_for(source), "")


def read_files(files: Files) -> dict[str, bytes]:
    """Read the files' content, keyed by their path for the job. Raises UserError if unreadable or too large."""
    try:
        size = sum(path.stat().st_size for path in files.values())
        if size > MOST_BYTES:
            raise DataError(
                f"expected files to send of at most {MOST_BYTES // 10**6} MB in total, got {size / 1e6:,.0f} MB: "
                "put them where the cluster's head can read them, and give that path with --no-files"
            )
        return {name: path.read_bytes() for name, path in files.items()}
    except OSError as error:
        raise UserError(f"cannot read {error.filename}: {error.strerror}") from None


def runtime_environment(contents: Mapping[str, bytes], extras: str | None, folder: Path) -> dict[str, Any]:
    """Ray's runtime environment for a job with these files, and with distsearch and its extras unless `extras` is None.

    The package to send is written to `folder`, unless there is nothing to send.
    """
    files = dict(contents)
    environment: dict[str, Any] = {}
    if extras is not None:
        wheel = own_wheel()
        # Ray caches installations by the text of their requirement, so a different wheel needs a different path.
        path = f"{hashlib.sha256(wheel.content).hexdigest()[:16]}/{wheel.name}"
        files[path] = wheel.content
        environment["pip"] = [f"{WORKING_DIRECTORY}/{path}" + (f"[{extras}]" if extras else "")]
    if files:
        package = folder / "files.zip"
        package.write_bytes(zip_files(files))
        environment["working_dir"] = str(package)
    return environment
