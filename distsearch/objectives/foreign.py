"""The user's own code: errors that it raises are reported with their line, and it has to return numbers."""

import math
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ParamSpec, TypeVar

import numpy as np

from distsearch.errors import ObjectiveError, brief
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
        raise raised(what, error) from error


def raised(what: str, error: BaseException) -> ObjectiveError:
    """The error that says what the user's code, named by `what`, has raised, and in which line."""
    return ObjectiveError(f"{what} raised {': '.join(filter(None, (type(error).__name__, str(error))))}{called(error)}")


def number_of(value: Any, what: str = "the function") -> float:
    """What `what` has returned as a number, NaN if it is masked.

    ObjectiveError if it is none: an array, a text, None or complex.
    """
    if isinstance(value, float):
        return float(value)
    shape = tuple(getattr(value, "shape", ()))
    if not shape and np.ma.is_masked(value):  # NumPy's 0 lies behind the mask
        return math.nan
    with suppress(Exception):  # conversion runs code of anybody's
        if not shape:  # a tensor may need a gradient, or be of a type that NumPy lacks: its item does not
            number = value.item() if hasattr(value, "item") else value
            if not isinstance(number, str | bytes | complex):
                return float(number)
    came = f"an array of shape {shape}" if shape else brief(value)
    instead = ": does it end without a return?" if value is None else ""
    if math.prod(shape) == 1 and shape:
        instead = ": return its one number, as .item() gives it"
    raise ObjectiveError(f"expected a number from {what}, got {came}{instead}")
