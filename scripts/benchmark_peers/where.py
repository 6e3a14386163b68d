"""Where the time of one of our searches goes: the share of each part, excluding parts nested in it."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import run_distsearch
from tasks import Problem, Race

from distsearch.networks.nodes import NodeExperiments
from distsearch.objectives.batches import Batches
from distsearch.objectives.losses import CrossEntropy
from distsearch.objectives.network import NetworkObjective
from distsearch.runs.directory import Run
from distsearch.strategies import node_perturbation
from distsearch.strategies.node_perturbation import NodePerturbation

# The label shown, the object that holds the function, and its name there.
PREPARATION = "preparation"
PARTS: list[tuple[str, Any, str]] = [
    (PREPARATION, run_distsearch, "assemble"),
    ("minibatches picked out", Batches, "some"),
    ("signs drawn", node_perturbation, "signs"),
    ("the center's forward pass", NodeExperiments, "__init__"),
    ("nodes moved, and passed on", NodeExperiments, "_outputs_after"),
    ("losses", CrossEntropy, "each"),
    ("changes times inputs", NodeExperiments, "gradient"),
    ("Adam and the running mean", NodePerturbation, "advance"),
    ("measured on all examples", NetworkObjective, "sums"),
    ("history", Run, "record"),
    ("checkpoints", Run, "save"),
]
REST = "the loop itself"


class _Clock:
    """Adds up the seconds of parts; a part is paused while one nested in it runs."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._inside = [REST]
        self._since = time.perf_counter()

    def within(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*given: Any, **named: Any) -> Any:
            self._turn()
            self._inside.append(part)
            try:
                return function(*given, **named)
            finally:
                self._turn()
                self._inside.pop()

        return timed

    def _turn(self) -> None:
        now = time.perf_counter()
        self.seconds[self._inside[-1]] += now - self._since
        self._since = now


@contextmanager
def _timed() -> Iterator[_Clock]:
    clock = _Clock()
    before = [getattr(place, name) for _, place, name in PARTS]
    for (part, place, name), function in zip(PARTS, before, strict=True):
        setattr(place, name, clock.within(part, function))
    try:
        yield clock
    finally:
        for (_, place, name), function in zip(PARTS, before, strict=True):
            setattr(place, name, function)


def shares(problem: Problem, settings: dict[str, Any], limit: float, folder: str) -> dict[str, float]:
    """Each part's share of a search with node-perturbation in this process, the largest first."""
    with _timed() as clock:
        run_distsearch.search(problem, settings, Race(problem, limit), folder)
    del clock.seconds[PREPARATION]
    whole = clock.seconds.total()
    return {part: seconds / whole for part, seconds in clock.seconds.most_common()}
