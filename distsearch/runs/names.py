"""Names of runs, which name directories and appear in tables, messages and addresses."""

import re
from pathlib import Path

from distsearch.errors import RunError, brief
from distsearch.text import escaped

MOST_BYTES = 200  # file systems allow 255, and files made beside a run have longer names
_LONGEST_STEM = 40  # characters
_NOT_IN_STEMS = re.compile(r"[^\w.+-]+")


def is_plain(name: str) -> bool:
    """Whether a name is safe for a directory: valid, listed, shown unescaped, and not leading elsewhere."""
    return (
        name != ""
        and not name.startswith((".", "~"))
        and not {"/", "\t", "\n"} & set(name)
        and escaped(name) == name
        and len(name.encode()) <= MOST_BYTES
    )


def check(name: str) -> None:
    """Raise RunError if a name is not plain."""
    if not is_plain(name):
        raise RunError(
            f"expected a plain name for the run, got {brief(name)}: at most {MOST_BYTES} bytes, without slashes and "
            "control characters, and not beginning with . or ~"
        )


def stem(source: str, strategy: str) -> str:
    """The beginning of a generated run name, from its data and its strategy."""
    data = _NOT_IN_STEMS.sub("-", Path(source).name.split(".")[0])[:_LONGEST_STEM].strip("-")
    return f"{data or 'data'}-{strategy}"
