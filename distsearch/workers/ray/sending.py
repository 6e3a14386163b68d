"""Sending strategy and objective to the workers; what cannot be sent is named."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import ray
from ray import cloudpickle

from distsearch.errors import ObjectiveError, brief
from distsearch.objectives.base import Objective
from distsearch.strategies.base import AnyStrategy


def put(strategy: AnyStrategy, objective: Objective) -> Any:
    """A reference to both in Ray's object store. ObjectiveError if the user's code refers to what cannot be sent."""
    try:
        return ray.put((strategy, objective))
    except Exception as error:
        function = getattr(objective, "function", None)
        if function is None:
            raise
        what = next(_unsendable(function), f"the function {_name(function)}")
        raise ObjectiveError(
            f"{what} cannot be sent to workers: create it inside the function, or search with 0 workers"
        ) from error


def _unsendable(function: Callable[..., Any]) -> Iterator[str]:
    """The variables that a function refers to and that cannot be sent, in words."""
    for name, value in _variables(function).items():
        try:
            cloudpickle.dumps(value)  # type: ignore[no-untyped-call]  # Ray's, untyped
        except Exception:  # noqa: BLE001  (pickling runs code of anybody's)
            yield f"the variable {name} of {_name(function)}, which is {brief(value)},"


def _variables(function: Callable[..., Any]) -> dict[str, Any]:
    """What a function closes over and the globals it names; for another callable, its attributes."""
    if not inspect.isfunction(function):
        return dict(getattr(function, "__dict__", {}))
    variables = inspect.getclosurevars(function)
    return {**variables.nonlocals, **variables.globals}


def _name(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__name__", type(function).__name__))
