"""A Rich console that treats all text as plain text."""

from typing import Any

from rich.console import Console
from rich.text import Text

from distsearch.text import escaped

PIPED_WIDTH = 120  # characters; output to a file is not truncated


class PlainConsole(Console):
    """A console without markup that shows control characters as escapes, and is wide if it is not a terminal.

    A quiet one prints nothing.
    """

    def __init__(self, stderr: bool, quiet: bool = False) -> None:
        super().__init__(stderr=stderr, quiet=quiet, markup=False, emoji=False, highlight=False)
        if not self.is_terminal:
            self.width = max(self.width, PIPED_WIDTH)

    def render_str(self, text: str, **options: Any) -> Text:
        """The text as everything in Rich, including tables, prints it."""
        return super().render_str(escaped(text), **options)
