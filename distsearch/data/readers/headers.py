"""The names of a table's columns, read without its rows."""

import csv
import gzip
from pathlib import Path

MOST_BYTES = 1_000_000  # of a first line


def column_names(path: str) -> list[str]:
    """The columns of a CSV, TSV or Parquet file; none where it is something else. Raises whatever is wrong with it."""
    suffixes = Path(path.lower().removesuffix(".gz")).suffix
    if suffixes == ".parquet":
        from pyarrow import parquet

        return [str(name) for name in parquet.read_schema(path).names]
    if suffixes not in (".csv", ".tsv", ".txt"):
        return []
    with (gzip.open if path.lower().endswith(".gz") else open)(path, "rb") as file:
        line = file.readline(MOST_BYTES).decode("utf-8-sig")
    return [name.strip() for name in next(csv.reader([line], delimiter="\t" if suffixes == ".tsv" else ","), [])]
