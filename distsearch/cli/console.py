"""Rich's console, to which all text is plain text."""

from typing import Any

from rich.console import Console
from rich.text import Text

from distsearch.text import escaped

PIPED_WIDTH = 120  # characters; nothing is cut that goes into a file


class PlainConsole(Console):
    """A console without markup, in which control characters are shown as escapes; wide where it is no terminal."""

    def __init__(self, stderr: bool) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False, highlight=False)
        if not self.is_terminal:
            self.width = max(self.width, PIPED_WIDTH)

    def render_str(self, text: str, **options: Any) -> Text:
        """The text as all of Rich's parts, tables among them, print it."""
        return super().render_str(escaped(text), **options)
