"""The parts of the benchmarks still find what they measure."""

import sys
from pathlib import Path

import pytest

from distsearch.config import from_flags
from distsearch.search.assembly import assemble
from distsearch.workers.requests import EvaluateRound

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def importable(monkeypatch):
    """Makes the modules in a folder of scripts importable while a test runs."""
    added: set[str] = set()

    def importing(name: str) -> None:
        monkeypatch.syspath_prepend(str(SCRIPTS / name))
        added.update(path.stem for path in (SCRIPTS / name).glob("*.py"))

    yield importing
    for name in added & set(sys.modules) - {"__main__"}:
        monkeypatch.delitem(sys.modules, name)


def test_where_the_time_of_a_search_goes_is_looked_for_in_what_there_is(importable):
    importable("benchmark_peers")
    import where

    assert [label for label, place, name in where.PARTS if not callable(getattr(place, name, None))] == []


def test_a_timed_pool_answers_as_the_pool_does(importable):
    importable("benchmark_parts")
    import pool

    prepared = assemble(from_flags({"workers": 0}))
    with prepared.pool() as workers:
        timed, request = pool.Evaluating(workers), EvaluateRound(prepared.plan.first)
        assert timed.sweep(request)[0].losses.tobytes() == workers.sweep(request)[0].losses.tobytes()
        assert timed.seconds > 0
        assert timed.answered == workers.answered
