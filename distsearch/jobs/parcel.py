"""What travels with a job: small files that its command names, and distsearch itself where the cluster has none."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distsearch.data import generators
from distsearch.data.datasets import is_built_in
from distsearch.data.readers import files_read
from distsearch.errors import DataError, UserError
from distsearch.jobs.wheel import own_wheel, zipped

MOST_BYTES = 100_000_000  # that Ray takes over HTTP, with room for the wheel
WORKING_DIRECTORY = "${RAY_RUNTIME_ENV_CREATE_WORKING_DIR}"  # which pip fills in, on each node

Files = Mapping[str, Path]
"""Files that travel: where they lie in the job's working directory, and where they lie here."""


def data_files(source: str, reader: str = "") -> tuple[str, Files]:
    """How a job names a data set, and the files of it that travel: none if it is built in or not here.

    Raises DataError if the source is neither the name of a data set nor a path.
    """
    if is_built_in(source) or not os.path.exists(source):
        return source, {}
    name = job_path(source)
    folder = Path(name) if os.path.isdir(source) else Path(name).parent
    return name, {(folder / Path(path).name).as_posix(): Path(path) for path in files_read(source, reader)}


def job_path(path: str) -> str:
    """The path under which a file of ours lies for a job: the same where that stays inside of its folder."""
    plain = Path(os.path.normpath(path))
    return plain.name if plain.is_absolute() or ".." in plain.parts else plain.as_posix()


def extras_for(source: str) -> str:
    """The extra of distsearch that a data set needs."""
    if source in generators.BUNDLED:
        return "datasets"
    return "parquet" if source.lower().endswith(".parquet") else ""


def read_files(files: Files) -> dict[str, bytes]:
    """The content of the files, by where they lie for the job. UserError if they cannot be read or are too large."""
    try:
        size = sum(path.stat().st_size for path in files.values())
        if size > MOST_BYTES:
            raise DataError(
                f"expected files of at most {MOST_BYTES // 10**6} MB together to send along, got {size / 1e6:,.0f} MB: "
                "put them where the cluster's head can read them, and give that path with --no-files"
            )
        return {name: path.read_bytes() for name, path in files.items()}
    except OSError as error:
        raise UserError(f"cannot read {error.filename}: {error.strerror}") from None


def runtime_environment(contents: Mapping[str, bytes], extras: str | None, folder: Path) -> dict[str, Any]:
    """Ray's runtime environment for a job with these files, and with distsearch and its extras unless they are None.

    The package that travels is written to the folder; without anything to send it is not made.
    """
    files = dict(contents)
    environment: dict[str, Any] = {}
    if extras is not None:
        wheel = own_wheel()
        # Ray keeps an installation by the text of its requirement: another wheel must have another path.
        path = f"{hashlib.sha256(wheel.content).hexdigest()[:16]}/{wheel.name}"
        files[path] = wheel.content
        environment["pip"] = [f"{WORKING_DIRECTORY}/{path}" + (f"[{extras}]" if extras else "")]
    if files:
        package = folder / "files.zip"
        package.write_bytes(zipped(files))
        environment["working_dir"] = str(package)
    return environment
