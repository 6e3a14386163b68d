"""Turns a prepared search into what its caller gets: the result, or an error with the result so far."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

from distsearch.api.results import FunctionResult, SearchResult
from distsearch.data.schema import Schema
from distsearch.errors import ObjectiveError, hold
from distsearch.objectives.model import Model
from distsearch.runs.directory import Result
from distsearch.runs.history import RoundRecord
from distsearch.search.assembly import Assembly
from distsearch.search.endings import Found, result_of
from distsearch.search.interrupts import Interrupts
from distsearch.search.limits import FAILED
from distsearch.search.observers import History, Observer
from distsearch.search.provenance import provenance
from distsearch.strategies.base import State

Begin = Callable[[list[Observer], Interrupts], Found]
"""Searches until a limit is reached, and tells the observers."""


def searched(
    assembly: Assembly,
    begin: Begin,
    interrupts: Interrupts,
    others: Iterable[Observer],
    done: Sequence[RoundRecord] = (),
) -> FunctionResult:
    """The result of a search that continues after the rounds done before. An error holds the result so far."""
    history = History(done)
    try:
        found = begin([history, *others], interrupts)
    except (Exception, KeyboardInterrupt) as error:
        if history.state is not None:
            with suppress(ObjectiveError):  # code of the user's that fails again
                summary = result_of("", assembly, FAILED, history.spent, history.state)
                interrupts.result = _result(assembly, history.state, summary, history.records)
            hold(error, interrupts.result)
        raise
    result = _result(assembly, found.state, found.result, history.records)
    interrupts.result = result
    return result


def of_network(result: Any) -> SearchResult:
    """The result of a search, narrowed to a network's (for the type checker)."""
    if not isinstance(result, SearchResult):
        raise AssertionError("a network was searched")
    return result


def _result(assembly: Assembly, state: State, summary: Result, history: list[RoundRecord]) -> FunctionResult:
    weights = state.best.weights
    if assembly.plan.network is None:
        return FunctionResult(weights, history, summary, center=state.center)
    model = Model(assembly.config.network, Schema.from_json(assembly.schema), weights, assembly.plan.network)
    origin = provenance(assembly.config, assembly.fingerprint, summary)
    return SearchResult(weights, history, summary, model, origin)
