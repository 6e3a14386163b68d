"""What a race is asked for on the command line: rows, the folders of the data, where to write."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, TypeVar

from rich.console import Console

from nondiff.rows import BOTH, FASHION, MNIST


class Raced(Protocol):
    """A row of a race."""

    @property
    def data(self) -> str:
        """MNIST, FASHION or BOTH."""
        ...


AnyRow = TypeVar("AnyRow", bound=Raced)


def parser_of(race: str, description: str | None, rows: Mapping[str, Raced]) -> argparse.ArgumentParser:
    """The parser of a race, with the arguments that all have."""
    parser = argparse.ArgumentParser(
        prog=f"scripts/benchmark-peers {race}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("rows", nargs="*", choices=[[], *rows], help=f"of {', '.join(rows)}; all if none")
    parser.add_argument("--mnist", default="", metavar="FOLDER", help="folder with MNIST's four IDX files")
    parser.add_argument("--fashion", default="", metavar="FOLDER", help="folder with Fashion-MNIST's four IDX files")
    parser.add_argument("--draw", action="store_true", help="run nothing: what is made of the files")
    parser.add_argument("--output", type=Path, default=Path("benchmark-peers"), metavar="FOLDER", help="for the files")
    return parser


def sources_of(given: argparse.Namespace) -> dict[str, str]:
    """The folders that were named, by data set."""
    return {MNIST: given.mnist, FASHION: given.fashion}


def chosen(given: argparse.Namespace, rows: Mapping[str, AnyRow], console: Console) -> list[AnyRow]:
    """The rows that are requested and possible."""
    requested, sources = [rows[name] for name in given.rows or rows], sources_of(given)
    possible = [row for row in requested if all(sources[name] for name in _parts_of(row.data))]
    if len(possible) < len(requested):
        console.print("without --mnist FOLDER and --fashion FOLDER the rows on them are left out", highlight=False)
    return possible


def _parts_of(data: str) -> tuple[str, ...]:
    return (MNIST, FASHION) if data == BOTH else (data,)
