"""The user's own code: errors that it raises are reported with their line."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from distsearch.errors import ObjectiveError
from distsearch.errors.attribution import called

P = ParamSpec("P")
T = TypeVar("T")


def call(what: str, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """What a function of the user's returns. ObjectiveError, with the function's line, if it raises anything.

    `what` names it, such as "the objective".
    """
    try:
        return function(*arguments, **named)
    except Exception as error:
        raise ObjectiveError(f"{what} raised {type(error).__name__}: {error}{called(error)}") from error
