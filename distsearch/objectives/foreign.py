"""The user's own code: errors that it raises are reported with their line."""

import traceback
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from distsearch.errors import ObjectiveError

P = ParamSpec("P")
T = TypeVar("T")


def call(function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """What a function of the user's returns. ObjectiveError, with the function's line, if it raises anything."""
    try:
        return function(*arguments, **named)
    except Exception as error:
        raise ObjectiveError(f"the objective raised {type(error).__name__}: {error}{_place(error)}") from error


def _place(error: Exception) -> str:
    """Where the user's function stood: the innermost of its own file's lines."""
    frames = traceback.extract_tb(error.__traceback__)[1:]  # without our own
    own = [frame for frame in frames if frame.filename == frames[0].filename]
    return f" ({own[-1].filename}, line {own[-1].lineno})" if own else ""
