"""Shows the library's log messages to the user: on stderr, above the bar while there is one."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from distsearch.cli.output import say

Show = Callable[[str], None]


class _Shown(logging.Handler):
    """Shows each message to the user."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.show: Show = say

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record's message."""
        self.show(record.getMessage())


_shown = _Shown()


def prepare() -> None:
    """Show the library's log messages from now on."""
    log = logging.getLogger("distsearch")
    log.setLevel(logging.INFO)
    log.propagate = False
    if _shown not in log.handlers:
        log.addHandler(_shown)


@contextmanager
def shown_by(show: Show) -> Iterator[None]:
    """While entered, show messages through `show` instead."""
    before, _shown.show = _shown.show, show
    try:
        yield
    finally:
        _shown.show = before
