"""The columns of a text table as they grow, block by block: numbers as long as they can be, else text."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distsearch.data.raw import quoted
from distsearch.data.readers.columns import Choice
from distsearch.data.spelling import COMMA, Spelling, certain_decimals, code_in, floats, interpreted, without_missing

Cells = NDArray[Any]  # (examples,) text, or numbers


class TextColumns:
    """Columns as they grow, block by block: features are numbers as long as they can be, all else is text.

    What is kept of column n beside the features, as it came, has the number -1 - n.
    Features in `texts` stay text whatever is in them. Those in `mixed` are known to hold more than numbers.
    """

    def __init__(
        self,
        choice: Choice,
        texts: set[int],
        spelling_of: Callable[[int], Spelling],
        mixed: frozenset[int] = frozenset(),
        *,
        look: bool = True,
    ) -> None:
        """look: whether to look at how the first block's numbers are written, which takes longer than to read them."""
        self._features = frozenset(choice.features)
        self._texts = texts
        self._numbers = self._features - texts - mixed
        self._spelling_of = spelling_of
        self._looks = look
        kept = [*choice.features, *choice.targets, *(-1 - index for index in choice.beside)]  # as it came: negative
        self._known: dict[int, dict[str, str]] = {index: {} for index in kept}  # equal cells are kept once
        self._blocks: dict[int, list[Cells]] = {index: [] for index in kept}
        self.marked: dict[str, str] = {}  # a number of the first block for each mark, and what it is read as
        self.codes: dict[int, str] = {}  # of columns of numbers that look like codes, one of them
        self.commas: set[int] = set()  # columns found to have a decimal comma, which the first lines did not show

    def add(self, rows: Sequence[Sequence[str]]) -> None:
        """Add rows of cells."""
        cells = list(zip(*rows, strict=True))
        for index, blocks in self._blocks.items():
            column = cells[max(index, -1 - index)]
            numbers = floats(column, self._spelling_of(index)) if index in self._numbers else None
            if numbers is not None and not blocks and self._looks:
                self._look(index, column)
            blocks.append(self._text(index, column) if numbers is None else numbers)

    def _look(self, index: int, cells: Sequence[str]) -> None:
        """What is worth a word about how a column's numbers are written."""
        if code := code_in(cells):
            self.codes[index] = code
        spelling = self._spelling_of(index)
        for mark, cell in spelling.marks(cells).items():
            self.marked.setdefault(mark, f"{quoted(cell)} is {spelling.number(cell)}")

    def _text(self, index: int, cells: Sequence[str]) -> Cells:
        known = self._known[index]
        column = np.empty(len(cells), object)
        column[:] = [known.setdefault(cell, cell) for cell in map(str.strip, cells)]
        return column

    def mixed(self) -> frozenset[int]:
        """The columns of which some blocks are numbers and some are text, though no text is kept of the former."""
        kinds = {
            index: {block.dtype.kind for block in self._blocks[index] if not _is_missing(block)}
            for index in self._features
        }
        return frozenset(index for index, found in kinds.items() if len(found) > 1)

    def columns(self) -> dict[int, Cells]:
        """Every column, (examples,)."""
        return {index: self._column(index, blocks) for index, blocks in self._blocks.items()}

    def _column(self, index: int, blocks: list[Cells]) -> Cells:
        if not blocks:
            return np.empty(0, float if index in self._numbers else object)
        if all(block.dtype.kind == "f" for block in blocks):
            return np.concatenate(blocks)
        column = np.concatenate(
            [np.full(len(block), "", object) if block.dtype.kind == "f" else block for block in blocks]
        )
        if index in self._texts:
            return without_missing(column)
        if index < 0:
            return column
        spelling = self._spelling_of(index)
        known = self._known[index]
        if spelling != COMMA and any("," in cell for cell in known) and certain_decimals(known) == {","}:
            self.commas.add(index)
            spelling = COMMA
        return interpreted(column, spelling) if index in self._features else column


def _is_missing(block: Cells) -> bool:
    return block.dtype.kind == "f" and bool(np.isnan(block).all())
