"""Sending strategy and objective to the workers; what cannot be sent is named."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from functools import lru_cache, partial
from types import MethodType, ModuleType
from typing import Any, NamedTuple

import ray
from ray import cloudpickle
from ray.cloudpickle import CloudPickler

from distsearch.errors import ObjectiveError, brief
from distsearch.objectives.base import Objective
from distsearch.strategies.base import AnyStrategy

DEEPEST = 8  # parts within parts that are looked into


class Part(NamedTuple):
    """Something that a value refers to: a variable, an attribute or an item, by its name, and whose it is."""

    kind: str
    name: object
    owner: str
    value: Any


def check(objective: Objective) -> None:
    """Raise ObjectiveError if a function of the user's refers to what cannot be sent, before anything is started."""
    function = getattr(objective, "function", None)
    if function is not None and (error := _failure(function)) is not None:
        raise _refusal(function) from error


def put(strategy: AnyStrategy, objective: Objective) -> Any:
    """A reference to both in Ray's object store. ObjectiveError if the user's code refers to what cannot be sent."""
    try:
        return ray.put((strategy, objective))
    except Exception as error:
        function = getattr(objective, "function", None)
        if function is None:
            raise
        raise _refusal(function) from error


def _as_sent(cached: Any) -> Any:
    """How a function with `functools.cache` is sent: by its name, unless only this process knows that.

    So it is with those of a script, of a notebook, or within a function; Ray sends them whole, but not with a cache.
    """
    if cached.__module__ != "__main__" and "<locals>" not in cached.__qualname__:
        return cached.__qualname__
    return _with_cache, (cached.__wrapped__, cached.cache_parameters())


def _with_cache(function: Callable[..., Any], parameters: Mapping[str, Any]) -> Callable[..., Any]:
    return lru_cache(**parameters)(function)


CloudPickler.dispatch_table[type(lru_cache(_as_sent))] = _as_sent


def _refusal(function: Callable[..., Any]) -> ObjectiveError:
    part = _unsendable(function)
    what = f"the function {_name(function)}"
    if part is not None:
        what = f"the {part.kind} {part.name} of {part.owner}, which is {brief(part.value)},"
    return ObjectiveError(
        f"{what} cannot be sent to workers: create it inside the function, or search in this process with --workers 0"
    )


def _unsendable(value: Any, depth: int = 0) -> Part | None:
    """The innermost part of a value that cannot be sent; None if none can be named."""
    if depth == DEEPEST:
        return None
    for part in _parts(value):
        if not isinstance(part.value, ModuleType) and _failure(part.value) is not None:
            return _unsendable(part.value, depth + 1) or part
    return None


def _failure(value: Any) -> Exception | None:
    """The error that sending a value would raise; None if it can be sent."""
    try:
        cloudpickle.dumps(value)  # type: ignore[no-untyped-call]  # Ray's, untyped
    except Exception as error:  # noqa: BLE001  (pickling runs code of anybody's)
        return error
    return None


def _parts(value: Any) -> Iterator[Part]:
    """What a value refers to: a function's variables and defaults, an object's attributes, a container's items."""
    owner = _name(value)
    if inspect.isfunction(value):
        variables = inspect.getclosurevars(value)
        defaults = inspect.signature(value).parameters.values()
        named = {each.name: each.default for each in defaults if each.default is not each.empty}
        for name, each in {**variables.nonlocals, **variables.globals, **named}.items():
            yield Part("variable", name, owner, each)
    elif isinstance(value, MethodType):
        yield Part("object", "itself", owner, value.__self__)
    elif isinstance(value, partial):
        for place, each in [("function", value.func), *enumerate(value.args), *value.keywords.items()]:
            yield Part("argument", place, owner, each)
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield Part("item", brief(name), owner, each)
    elif isinstance(value, Sequence | Set) and not isinstance(value, str | bytes):
        for number, each in enumerate(value):
            yield Part("item", number, owner, each)
    else:
        for name, each in getattr(value, "__dict__", {}).items():
            yield Part("attribute", name, owner, each)


def _name(value: Any) -> str:
    return str(getattr(value, "__name__", type(value).__name__))
