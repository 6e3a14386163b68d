"""Columns of text, each as wide as what is in it; where there is no room for all, some leave, and nothing is cut.

A table of Rich's takes a second for a thousand lines.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich.cells import cell_len

GAP = 2  # characters between columns


class Cells(NamedTuple):
    """A column: its heading, and what is below it."""

    name: str
    texts: Sequence[str]
    number: bool = True  # and so on the right

    @property
    def width(self) -> int:
        """Of the widest cell, in characters of the terminal."""
        return max(cell_len(text) for text in (self.name, *self.texts))

    def padded(self, width: int) -> list[str]:
        """The heading and the cells, all of this width."""
        room = [(text, " " * (width - cell_len(text))) for text in (self.name, *self.texts)]
        return [space + text if self.number else text + space for text, space in room]


def lines(columns: Iterable[Cells], leaving: Iterable[str], width: int) -> list[str]:
    """A heading, and a line for each row: those columns that have anything in them, and fit into that many characters.

    `leaving` names those that leave where there is no room for all, the first one first.
    """
    kept = [(each, each.width) for each in columns if any(each.texts)]
    for name in leaving:
        if sum(size + GAP for _, size in kept) - GAP <= width:
            break
        kept = [(each, size) for each, size in kept if each.name != name]
    return [(" " * GAP).join(row).rstrip() for row in zip(*(each.padded(size) for each, size in kept), strict=True)]
