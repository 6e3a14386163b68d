"""Progress of a search in Python: an updating line on a terminal, a bar in a notebook, lines elsewhere."""

import shutil
import sys
from html import escape
from typing import Any, Protocol, TextIO

from distsearch.config.sections import StopConfig
from distsearch.errors import SettingError, brief
from distsearch.reports.status import (
    LINE_SECONDS,
    LINE_SECONDS_WITHIN,
    RATE_SECONDS,
    REFRESH_SECONDS,
    Status,
    fitting,
)
from distsearch.runs.history import RoundRecord
from distsearch.search.observers import Observer, Opened, PartOfRound, Round
from distsearch.strategies.base import State

NOTEBOOK_SECONDS = 0.25
BAR_WIDTH = 20
ERASE = "\r\x1b[K"


class Display(Protocol):
    """Where progress is shown."""

    seconds: float
    """Between two updates."""

    shows_first: bool
    """Whether it shows the first round, which tells nothing about the speed."""

    seconds_within: float
    """Between two updates within a round."""

    def show(self, share: float, text: str) -> None:
        """Show the share done, from 0 to 1, and a line of text."""
        ...

    def close(self, text: str) -> None:
        """The last thing shown; text is empty if that has been shown already."""
        ...


class Progress(Observer):
    """Shows the progress of a search: round, best loss, accuracy, speed.

    A terminal has a bar that is erased at the end; a notebook one in the cell's output; elsewhere, a line every five
    seconds on stderr. It is used by default in an interactive session (Python's prompt, IPython, a notebook).
    `Progress(show=False)` turns it off there.
    """

    def __init__(self, show: bool = True) -> None:
        if not isinstance(show, bool):
            raise SettingError(f"Progress: expected show to be True or False, got {brief(show)}")
        self._wanted = show
        self._display: Display | None = None
        self._status = Status(StopConfig())
        self._latest: tuple[RoundRecord, int] | None = None  # that is not shown yet
        self._due = self._due_within = 0.0

    def opened(self, search: Opened) -> None:
        """Begin anew."""
        self._display = _display() if self._wanted else None
        self._status = Status(search.config.stop, search.of_function)
        for row in search.done:
            self._status.hear(row)
        if search.done:
            self._status.restart_rate(search.done[-1])
        self._latest, self._due = None, 0.0
        self._due_within = self._display.seconds_within if self._display else 0.0

    def started(self, state: State) -> None:
        """Take note of where it begins."""
        self._status.begin(state.round)

    def within(self, part: PartOfRound) -> None:
        """Show how far a round is: elsewhere than on a screen once in a while."""
        if self._display is not None and part.seconds >= self._due_within:
            self._due_within = part.seconds + self._display.seconds_within
            self._display.show(self._status.share_within(part), self._status.line_within(part))

    def round(self, done: Round) -> None:
        """Show the round if it is time to."""
        if self._display is None:
            return
        self._status.hear(done.record)
        self._latest = done.record, done.workers
        if done.record.seconds < self._due:
            return
        self._due = done.record.seconds + self._display.seconds
        if self._display.shows_first or done.record.round:
            self._display.show(self._status.share(done.record), self._line())
            self._status.restart_rate(done.record, at_least=RATE_SECONDS)

    def closed(self, error: BaseException | None) -> None:
        """Show the last round, and end the bar."""
        if self._display is not None:
            self._display.close(self._line() if self._latest else "")
        self._display = None

    def _line(self) -> str:
        if self._latest is None:
            return ""
        (row, workers), self._latest = self._latest, None
        return self._status.line(row, workers)


class Terminal:
    """One line that is overwritten."""

    seconds = seconds_within = REFRESH_SECONDS
    shows_first = True

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def show(self, share: float, text: str) -> None:
        """Overwrite the previous line."""
        full, width = round(share * BAR_WIDTH), shutil.get_terminal_size().columns - 1
        bar = f"[{'#' * full}{'.' * (BAR_WIDTH - full)}] "
        line = bar + fitting(text, width - len(bar))
        encoding = self._stream.encoding or "ascii"
        self._write(ERASE + line[:width].encode(encoding, "replace").decode(encoding))

    def close(self, text: str) -> None:
        """Erase it."""
        self._write(ERASE)

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


class Lines:
    """A line every few seconds, and the last one."""

    seconds, seconds_within = LINE_SECONDS, LINE_SECONDS_WITHIN
    shows_first = False

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def show(self, share: float, text: str) -> None:
        """Write a line."""
        self._write(text)

    def close(self, text: str) -> None:
        """Write the last line, if it has not been written."""
        if text:
            self._write(text)

    def _write(self, text: str) -> None:
        encoding = self._stream.encoding or "ascii"
        self._stream.write(text.encode(encoding, "replace").decode(encoding) + "\n")
        self._stream.flush()


class Notebook:
    """A bar in the output of a notebook's cell, which keeps the last line."""

    seconds = seconds_within = NOTEBOOK_SECONDS
    shows_first = True

    def __init__(self) -> None:
        self._handle: Any = None
        self._text = ""

    def show(self, share: float, text: str) -> None:
        """Update the bar and the line."""
        self._text = text
        bar = f'<progress value="{share:.3f}" max="1" style="width:12em"></progress>'
        self._put(f"<div>{bar} {escape(text)}</div>", text)

    def close(self, text: str) -> None:
        """Take the bar away."""
        last = text or self._text
        if last:
            self._put(f"<div>{escape(last)}</div>", last)

    def _put(self, html: str, text: str) -> None:
        from IPython.display import display

        content = {"text/html": html, "text/plain": text}
        if self._handle is None:
            self._handle = display(content, raw=True, display_id=True)
        else:
            self._handle.update(content, raw=True)


def is_interactive() -> bool:
    """Whether the session is interactive (a prompt or a notebook), not a script or piped output."""
    if _in_notebook():
        return True
    return hasattr(sys, "ps1") and _on_terminal()


def _display() -> Display:
    if _in_notebook():
        return Notebook()
    return Terminal(sys.stderr) if _on_terminal() else Lines(sys.stderr)


def _on_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def _in_notebook() -> bool:
    """Whether this is a kernel of Jupyter's; IPython is not imported to find out."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None
