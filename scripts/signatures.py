"""Writes distsearch/__init__.pyi: the public functions with every declared setting as a typed keyword.

So editors complete them and type checkers know them; the functions themselves take the settings by name.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_origin

import distsearch
from distsearch.api.functions import GIVEN_AS_ARRAYS
from distsearch.config import options
from distsearch.settings import Declared, declarations
from distsearch.strategies import STRATEGIES

PATHS = ("runs", "storage")
STUB = Path(distsearch.__file__).with_suffix(".pyi")
HEAD = """# Made by scripts/signatures from the declared settings: change those, and run it again.
# ruff: noqa
from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike
from typing import Any, Literal, overload

from numpy.typing import ArrayLike

from distsearch import callbacks as callbacks
from distsearch.api.ask_tell import Optimizer as Optimizer
from distsearch.api.estimators import SearchClassifier as SearchClassifier
from distsearch.api.estimators import SearchRegressor as SearchRegressor
from distsearch.api.results import FunctionResult, SearchResult
from distsearch.runs.history import RoundRecord
from distsearch.search.observers import Observer
from distsearch.search.verification import Verdict

__version__: str
__all__ = ["Optimizer", "__version__", "callbacks", "load", "minimize", "resume", "search", "verify"]

Callback = Callable[[RoundRecord], Any] | Observer | Any

def load(path: str | PathLike[str]) -> SearchResult: ...
def verify(
    path: str | PathLike[str],
    X: ArrayLike | None = None,
    y: ArrayLike | None = None,
    *,
    sample_weight: ArrayLike | None = None,
    function: Callable[[Any], Any] | None = None,
    data: str | PathLike[str] | None = None,
    rounds: int | Literal["all"] = 16,
    workers: int = 0,
) -> Verdict: ...
"""
RESUME = """@overload
def resume(
    path: str | PathLike[str],
    {first}
    rounds: int | None = None,
    seconds: float | None = None,
    max_evaluations: int | None = None,
    workers: int | None = None,
    storage: str | PathLike[str] | None = None,
    force: bool = False,
    callbacks: Callback | Iterable[Callback] = ...,
) -> {result}: ...
"""
RESUMED = {
    "X: ArrayLike,\n    y: ArrayLike,\n    *,\n    sample_weight: ArrayLike | None = None,": "SearchResult",
    "*,\n    function: Callable[[Any], Any],": "FunctionResult",
    "*,\n    data: str | PathLike[str] | None = None,": "SearchResult",
}


WEIGHTS = [
    "model: Any = ...",
    "nodes: Any = ...",
    "sample_weight: ArrayLike | None = ...",
    "class_weight: Mapping[Any, float] | str | None = ...",
]
WIDER = {  # than the settings of the command line: functions, classes, and labels of any type
    "strategy": "str | type[Any]",
    "loss": "str | Callable[..., Any]",
    "metrics": "str | Callable[..., Any] | Iterable[str | Callable[..., Any]]",
    "costs": "str | PathLike[str] | ArrayLike | Mapping[Any, Mapping[Any, float]]",
    "positive": "Any",
}
STARTS = "ArrayLike | FunctionResult | PathLike[str]"
OTHERS = "**settings: Any"  # of strategies of other packages


def stub() -> str:
    """The stub's text."""
    apart = {*GIVEN_AS_ARRAYS, "class_weight", "model", "nodes"}
    of_search = [
        setting for section, setting in options() if section not in ("data", "network") or setting.name not in apart
    ]
    of_functions = [setting for section, setting in options() if section not in ("data", "network")]
    strategies = list(_of_strategies())
    return "".join(
        (
            HEAD,
            *(RESUME.format(first=first, result=result) for first, result in RESUMED.items()),
            _function(
                "search",
                ["X: ArrayLike | Any", "y: ArrayLike | None = None"],
                WEIGHTS,
                "SearchResult",
                [*of_search, *strategies],
            ),
            _function(
                "minimize",
                ["function: Callable[[Any], Any]", f"start: {STARTS}"],
                ["vectorized: bool = False"],
                "FunctionResult",
                [*of_functions, *strategies],
            ),
        )
    )


def _function(name: str, first: list[str], keywords: list[str], returns: str, settings: list[Declared]) -> str:
    lines = [
        *first,
        "*",
        *keywords,
        "callbacks: Callback | Iterable[Callback] = ...",
        *map(_parameter, settings),
        OTHERS,
    ]
    return f"def {name}(\n{''.join(f'    {line},{chr(10)}' for line in lines)}) -> {returns}: ...\n"


def _of_strategies() -> Iterator[Declared]:
    """The settings of all built-in strategies, each name once."""
    known: dict[str, Declared] = {}
    for strategy in STRATEGIES.own.values():
        for setting in declarations(strategy.Settings):
            known.setdefault(setting.name, setting)
    yield from known.values()


def _parameter(setting: Declared) -> str:
    return f"{setting.keyword}: {_annotation(setting)}{' | None' * (setting.default is None)} = ..."


def _annotation(setting: Declared) -> str:
    if setting.keyword in WIDER:
        return WIDER[setting.keyword]
    if get_origin(setting.type) is tuple:
        return "Sequence[int | str] | int | str"
    if setting.flag == "start":
        return f"{STARTS} | Mapping[str, Any]"
    return "str | PathLike[str]" if setting.flag in PATHS else str(setting.type.__name__)


if __name__ == "__main__":
    STUB.write_text(stub(), encoding="utf-8")
    print(f"{STUB} is written", file=sys.stderr)
