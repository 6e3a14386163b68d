"""Removing and renaming runs. Neither touches a run that a process is writing to."""

import json
import os
import re
import shutil
from pathlib import Path

import msgspec

from distsearch.errors import RunError
from distsearch.runs import documents, files, names
from distsearch.runs.claims import lock
from distsearch.runs.directory import StoredRun
from distsearch.runs.layout import CONFIG, MANIFEST, RESULT


def check_removable(path: Path) -> None:
    """RunError if a directory is none of a run, is only a link to one, or if a process is writing to it.

    The run may be damaged.
    """
    if not (path / MANIFEST).exists():
        raise RunError(f"{path} is not a distsearch run: it has no {MANIFEST}")
    if path.is_symlink():
        raise RunError(f"{path} is a link to a run: remove the link, or give the path that it leads to")
    os.close(lock(path))


def remove(path: Path) -> None:
    """Remove a run's directory, all at once for whoever lists runs. RunError if it cannot be."""
    check_removable(path)
    gone = path.with_name(f".{path.name[: names.MOST_BYTES // 4]}{files.TEMPORARY}")
    try:
        shutil.rmtree(gone, ignore_errors=True)  # left by one that was interrupted
        path.rename(gone)
        shutil.rmtree(gone)
    except OSError as error:
        raise RunError(f"cannot remove {path}: {error.strerror}") from None


def rename(stored: StoredRun, name: str) -> Path:
    """Give a run another name, in its folder and in its documents; its new path.

    RunError if the name is taken or not plain, or if a process is writing to the run.
    """
    names.check(name)
    target = stored.path.resolve().with_name(name)
    if target.exists():
        raise RunError(f"{target.name} already exists: choose another name, or remove it first")
    try:
        with stored.held():
            result, settings = stored.result, _settings_named(stored, name)
            stored.path.resolve().rename(target)
            files.write_whole(target / CONFIG, documents.sealed_toml(settings))
            if result is not None:
                renamed = msgspec.structs.replace(result, run=name)
                files.write_whole(target / RESULT, documents.sealed_json(renamed))
    except OSError as error:
        raise RunError(f"cannot rename {stored.path}: {error.strerror}") from None
    return target


def _settings_named(stored: StoredRun, name: str) -> str:
    """The text of a run's configuration, with this name of the run in it."""
    documents.check_toml(stored.path / CONFIG)
    text = (stored.path / CONFIG).read_text(encoding="utf-8").rpartition(documents.COMMENT)[0]
    before, section, output = text.partition("\n[output]\n")
    line = f"name = {json.dumps(name, ensure_ascii=False)}"
    return before + section + re.sub(r"^name = .*$", lambda _: line, output, count=1, flags=re.MULTILINE)
