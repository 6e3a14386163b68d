"""Results of the searches, and derived figures: medians, microseconds per candidate, who leads and by how much."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from math import inf
from statistics import median
from typing import Any

from apart import FailedError, answer
from entries import BACKPROPAGATION, Entry
from tasks import CORES, Task

ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0", "JAX_PLATFORMS": "cpu", "OMP_NUM_THREADS": str(CORES)}
START_SECONDS = 240  # a process's allowance besides its search: imports, data, Ray, measurements


@dataclass(frozen=True)
class Outcome:
    """The result of one search."""

    entry: Entry
    seed: int
    seconds: float | None = None  # to the target
    final: float | None = None  # loss or accuracy
    points: list[list[float]] = field(default_factory=list)  # seconds, candidates, loss or accuracy
    pace: list[list[float]] = field(default_factory=list)  # seconds, candidates: once warm, and at the end
    flops: int = 0
    exponentials: int = 0
    failure: str = ""

    @property
    def candidates(self) -> float:
        """The number of candidates evaluated."""
        return self.pace[-1][1] if self.pace else 0

    @property
    def microseconds(self) -> float | None:
        """The time per candidate, once everything is compiled and warm."""
        if len(self.pace) < 2:
            return None
        (first, before), (last, after) = self.pace
        return (last - first) / (after - before) * 1e6 if after > before else None


def searched(entry: Entry, seed: int, limit: float, mnist: str) -> Outcome:
    """Run an entry's search in its own process."""
    order = {**asdict(entry), "seed": seed, "limit": limit, "mnist": mnist}
    try:
        document = answer("one", order, limit + START_SECONDS, ENVIRONMENT)
    except FailedError as error:
        return Outcome(entry, seed, failure=str(error))
    del document["process_seconds"]
    return Outcome(entry, seed, **document)


@dataclass(frozen=True)
class Line:
    """An entry's searches with all seeds; a target that was not reached counts as infinite time."""

    entry: Entry
    task: Task
    searches: int
    reached: int
    seconds: float
    fastest: float
    slowest: float
    candidates: float  # to the target
    final: float | None
    microseconds: float | None
    share: float | None  # of the rate that the machine's own sgemm and exp would allow
    failure: str

    @property
    def rate(self) -> float:
        """Candidates per second."""
        return 1e6 / self.microseconds if self.microseconds else 0.0


def line(task: Task, outcomes: Sequence[Outcome], machine: "Machine") -> Line:
    """The medians of an entry's searches."""
    entry = outcomes[0].entry
    done = [each for each in outcomes if not each.failure]
    seconds = [inf if each.seconds is None else each.seconds for each in outcomes]
    candidates = [inf if each.seconds is None else each.candidates for each in outcomes]
    micro = _median(each.microseconds for each in done)
    counts = entry.kind != BACKPROPAGATION and micro and done
    return Line(
        entry,
        task,
        len(outcomes),
        sum(each.seconds is not None for each in outcomes),
        median(seconds),
        min(seconds),
        max(seconds),
        median(candidates),
        _median(each.final for each in done),
        micro,
        machine.microseconds(done[0]) / micro if counts and micro else None,
        next((each.failure for each in outcomes if each.failure), ""),
    )


@dataclass(frozen=True)
class Machine:
    """What a core can do: the yardstick of a candidate's time."""

    flops: float  # per second, in a product of 1024 × 1024 matrices of float32
    exponentials: float  # per second, in a long array of float32

    def microseconds(self, outcome: Outcome) -> float:
        """The time for a candidate's dense forward pass, counting only sgemm and the softmax's exp, on its cores."""
        workers = outcome.entry.settings.get("workers")
        cores = CORES if workers is None else max(1, workers)
        return (outcome.flops / self.flops + outcome.exponentials / self.exponentials) / cores * 1e6


@dataclass(frozen=True)
class Verdict:
    """Our best entry against the best peer, and the aim."""

    task: Task
    ours: Line | None
    peer: Line | None

    @property
    def ratio(self) -> float | None:
        """Our time, or time per candidate, as a share of the best peer's, or of its limit if it never finished."""
        if self.ours is None or self.peer is None:
            return None
        if self.task.target == "candidates a second":
            return self.peer.rate / self.ours.rate if self.ours.rate else None
        return self.ours.seconds / (self.peer.seconds if self.peer.seconds < inf else self.task.limit)

    @property
    def text(self) -> str:
        """Whether the aim is met; empty if one of the two is missing."""
        if self.ours is None or (self.task.share is not None and self.ratio is None):
            return ""
        late = self.task.seconds is not None and self.ours.seconds > self.task.seconds
        behind = self.task.share is not None and (self.ratio or 0) > self.task.share
        return "missed" if late or behind else "met"


def verdict(task: Task, lines: Iterable[Line]) -> Verdict:
    """Who leads in a task."""
    own = [each for each in lines if each.task == task and each.final is not None]
    rate = task.target == "candidates a second"

    def rank(each: Line) -> tuple[float, float]:
        if rate:
            return -each.rate, 0.0
        final = each.final if each.final is not None else inf
        return each.seconds, final if task.accuracy is None else -final

    ours = min((each for each in own if each.entry.ours), key=rank, default=None)
    peer = min((each for each in own if each.entry.peer), key=rank, default=None)
    return Verdict(task, ours, peer)


def _median(values: Iterable[Any]) -> float | None:
    numbers = [value for value in values if value is not None]
    return median(numbers) if numbers else None
