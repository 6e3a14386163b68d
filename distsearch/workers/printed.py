"""What the user's code prints on a worker: it travels with the answer, and is printed where the search is."""

import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from typing import Any, NamedTuple

from distsearch.errors import ObjectiveError


class Printed(NamedTuple):
    """An answer, and what was printed on the way to it."""

    answer: Any
    text: str


def listened_to(work: Callable[[], Any]) -> Any:
    """What the work returns, with what it has printed, if it has; an ObjectiveError has that as well."""
    with redirect_stdout(StringIO()) as said:
        try:
            answer = work()
        except ObjectiveError as error:
            error.printed = said.getvalue()
            raise
    text = said.getvalue()
    return Printed(answer, text) if text else answer


def aloud(answer: Any) -> Any:
    """The answer itself, after what was printed on the way to it is printed here."""
    if not isinstance(answer, Printed):
        return answer
    say(answer.text)
    return answer.answer


def say(text: str) -> None:
    """Print what was printed on a worker."""
    sys.stdout.write(text)
    sys.stdout.flush()
