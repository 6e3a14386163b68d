"""Names of runs, which are names of directories and stand in tables, messages and addresses."""

import re
from pathlib import Path

from distsearch.errors import RunError, brief
from distsearch.text import escaped

MOST_BYTES = 200  # file systems take 255, and what is made beside a run has a longer name
_LONGEST_STEM = 40  # characters
_NOT_IN_STEMS = re.compile(r"[^\w.+-]+")


def is_plain(name: str) -> bool:
    """Whether a directory can have this name, be listed, and be shown as it is; it leads nowhere else."""
    return (
        name != ""
        and not name.startswith((".", "~"))
        and not {"/", "\t", "\n"} & set(name)
        and escaped(name) == name
        and len(name.encode()) <= MOST_BYTES
    )


def check(name: str) -> None:
    """RunError if a name is not plain."""
    if not is_plain(name):
        raise RunError(
            f"expected a plain name for the run, got {brief(name)}: at most {MOST_BYTES} bytes, without slashes and "
            "control characters, and not beginning with . or ~"
        )


def stem(source: str, strategy: str) -> str:
    """What a run's name begins with if it is made up: after its data and its strategy."""
    data = _NOT_IN_STEMS.sub("-", Path(source).name.split(".")[0])[:_LONGEST_STEM].strip("-")
    return f"{data or 'data'}-{strategy}"
