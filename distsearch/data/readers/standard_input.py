"""Standard input as a file: readers need to look at it more than once."""

import atexit
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path

from distsearch.data.raw import reading

NAME = "-"
SPOKEN = "standard input"

_MAGIC = {b"PAR1": "parquet", b"ARROW1": "arrow", b"{": "jsonl", b"[": "jsonl", b"PK\x03\x04": "xlsx"}


@cache
def spooled() -> str:
    """The path of a file with all of standard input, which is removed at the end of the process."""
    folder = tempfile.mkdtemp(prefix="distsearch-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = Path(folder, SPOKEN)
    with reading(SPOKEN, "readable"), path.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    return str(path)


def reader() -> str:
    """The name of the reader that what came in looks like it is for."""
    with open(spooled(), "rb") as file:
        head = file.read(6)
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), "csv")
