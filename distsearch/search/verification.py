"""Does a run hold what it promises? Its states are made again from the seed and the recorded losses.

The strategy's own `tell` makes them, so that every recorded decision is taken again without evaluating a candidate; and
in the rounds that are asked for, all candidates are evaluated again as well.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from itertools import pairwise
from math import inf
from random import SystemRandom
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from distsearch.data.schema import Schema
from distsearch.errors import RunError
from distsearch.machine import one_thread
from distsearch.objectives import losses
from distsearch.objectives.base import Measurement
from distsearch.objectives.model import network_for
from distsearch.runs import checkpoints
from distsearch.runs.directory import StoredRun
from distsearch.runs.documents import named
from distsearch.runs.history import Entry, Measured, RoundRecord
from distsearch.runs.layout import BEST, CHECKPOINT, PREVIOUS, RESULT, START
from distsearch.search import frozen
from distsearch.search.assembly import Assembly, Plan, plan_function, plan_network
from distsearch.search.first_weights import flat
from distsearch.search.retrieval import own_assembly
from distsearch.search.rounds import NOT_MEASURED, Outcome, Rounds, best_of_some, measure
from distsearch.strategies.base import Answer, AnyStrategy, State, losses_of
from distsearch.workers.base import Pool
from distsearch.workers.requests import EvaluateRound, Part

_GIVEN = {"candidates", "passes", "seconds", "noisy"}  # what a round has cost, and what workers have shown
_DECIDED = [name for name in RoundRecord.__struct_fields__ if name not in _GIVEN]

Losses = NDArray[np.float64]


class Step(NamedTuple):
    """A round made again: the state before it, what was recorded, what comes out, and the state after it."""

    before: State
    entry: Entry
    outcome: Outcome


class Verdict(msgspec.Struct, frozen=True):
    """What a verification has found; without differences everything came out bit for bit."""

    run: str
    rounds: int  # whose decisions were taken again
    tried: list[int]  # rounds whose candidates were evaluated again
    differences: list[str]

    @property
    def identical(self) -> bool:
        """Whether everything came out bit for bit."""
        return not self.differences


def sample(rounds: int, count: int) -> set[int]:
    """`count` rounds to check, the first and the last included; others every time, so that no round is safe."""
    ends = {0, rounds - 1} if rounds else set()
    between = range(1, rounds - 1)
    return ends | set(SystemRandom().sample(between, min(len(between), max(0, count - len(ends)))))


class Replay:
    """A run made again from its records: from configuration, manifest and history.

    A strategy whose answers carry sums, which are not recorded, has to try every round again.
    """

    def __init__(self, stored: StoredRun) -> None:
        self.stored = stored
        self.plan = _plan(stored)

    def steps(self, pool: Pool | None = None) -> Iterator[Step]:
        """The rounds in their order; the workers are only asked for what is not recorded.

        RunError if a round has not the losses that its state calls for.
        """
        strategy, output = self.plan.strategy, self.plan.config.output
        recorded = _Recorded(strategy, pool)
        every, first = output.measure_every or 1, output.measure_first
        rounds = Rounds(strategy, recorded, every, first, constraints=self.plan.constraints)
        state = self.plan.first
        for entry in self.stored.entries():
            expected = strategy.units(state)
            if len(entry.losses) != expected:
                raise RunError(
                    f"{self.stored.path}, round {state.round}: expected {expected} losses, found {len(entry.losses)}"
                )
            recorded.entry = entry
            outcome = rounds.run(state)
            yield Step(state, entry, outcome)
            state = outcome.after

    def best_file(self, pool: Pool | None = None) -> bytes:
        """The file of the best weights. RunError if a recorded decision comes out differently."""
        state = self.plan.first
        with one_thread():
            for step in self.steps(pool):
                for difference in decided_differently(step, self.plan.strategy.center_loss):
                    raise RunError(f"{self.stored.path}, {difference}")
                state = step.outcome.after
        if state is self.plan.first:
            raise RunError(f"{self.stored.path} has not finished one round: nothing is recorded of its best weights")
        return checkpoints.encode(*checkpoints.best_content(state.best, self.plan.named(state.best.weights)))


def _plan(stored: StoredRun) -> Plan:
    """The plan that a run was begun with, from its records alone."""
    manifest, start = stored.manifest, stored.start()
    if manifest.data:
        schema, settings = Schema.from_json(manifest.data), stored.config.network
        scored = losses.create_for(settings, schema.classes, schema.outputs)
        if manifest.class_counts:
            scored = scored.suited(np.array(manifest.class_counts))
        weights, known = start or (None, {})
        network = network_for(settings, schema)
        plan = plan_network(stored.config, network, manifest.examples, weights, known.get("loss"), scored)
        frozen.check(network, stored)
        return plan
    if start is None:
        raise RunError(
            f"{stored.path} was started from Python by an older distsearch: its initial weights are not kept"
        )
    return plan_function(stored.config, flat(start[0]["weights"], manifest.weights))


def replay(stored: StoredRun) -> bytes:
    """Make the file of a run's best weights again; the data is only read if not all that counts is recorded."""
    again = Replay(stored)
    if not again.plan.strategy.sums:
        return again.best_file()
    with own_assembly(stored, 0).pool() as pool:
        return again.best_file(pool)


class _Recorded:
    """Answers what a run has recorded, as if workers had found it again."""

    entry: Entry

    def __init__(self, strategy: AnyStrategy, pool: Pool | None) -> None:
        self._strategy = strategy
        self._pool = pool

    def evaluate(self, state: State) -> list[Answer]:
        if not self._strategy.sums:
            return [Answer(self.entry.losses)]
        if self._pool is None:
            raise AssertionError(f"{self._strategy.name} needs workers")
        return self._pool.evaluate(state)

    def measure(self, weights: NDArray[np.float32]) -> Measurement:
        record = self.entry.record
        if self._strategy.chosen_by_measuring and record.train_loss is None:
            raise RunError(f"round {record.round}: expected a train loss in its record")
        validation = record.validation_loss, record.validation_accuracy
        return Measurement(
            record.train_loss, record.accuracy, None, record.test_accuracy, *validation, metrics=record.metrics
        )

    def weighted_noise(self, state: State, coefficients: NDArray[np.float32]) -> NDArray[np.float32]:
        return self._strategy.weighted_noise(state, coefficients)


def verify(replay: Replay, assembly: Assembly, chosen: Collection[int], progress: Callable[[int], None]) -> Verdict:
    """Take all decisions of a run again, and evaluate the candidates of the chosen rounds again.

    assembly is the run's own, on its own data. progress hears of every round. RunError if a file is damaged.
    """
    differences = _begun_differently(replay.plan, assembly.plan)
    tried: list[int] = []
    rounds = 0
    kept = _Kept(replay)
    strategy = replay.plan.strategy
    with assembly.pool() as pool, one_thread():
        for step in replay.steps(pool):
            number = step.before.round
            differences += decided_differently(step, strategy.center_loss)
            if number in chosen or strategy.sums:
                tried.append(number)
                losses = step.outcome.losses if strategy.sums else losses_of(pool.evaluate(step.before))
                differences += _scored_differently(number, step.entry.losses, losses)
                differences += _measured_differently(step, strategy, pool)
            kept.compare(step.outcome.after)
            rounds += 1
            progress(number)
        if not rounds and kept.cut_short:
            kept.compare(_cut_short(replay, pool))
    return Verdict(replay.stored.path.name, rounds, tried, differences + kept.differences())


def _cut_short(replay: Replay, pool: Pool) -> State:
    """The state before the first round, which was not finished, with the best of it that its file names."""
    first, strategy = replay.plan.first, replay.plan.strategy
    index = int(replay.stored.content(BEST)[1]["index"])
    request = EvaluateRound(first)
    boundaries = request.boundaries(strategy, pool.objective)
    tile = next((pair for pair in pairwise(boundaries) if pair[0] <= index < pair[1]), None)
    answers = []
    if tile is not None:  # the best may be of the center alone, which was measured where nothing was evaluated
        found = losses_of(list(pool.sweep(Part(request, tile))))[index - tile[0] :][:1]
        answers.append((index, Answer(found)))
    return replace(first, best=best_of_some(strategy, first, answers, pool.objective.measure))


def decided_differently(step: Step, center_loss: Callable[[Losses], float]) -> list[str]:
    """Where the record of a round is not what its losses lead to: a sentence each.

    center_loss gives the loss of a round's center from those of its units.
    """
    entry, outcome, recorded = step.entry, step.outcome, step.entry.record
    made = RoundRecord.of(
        step.before,
        outcome.after,
        entry.losses,
        outcome.measured,
        center_loss=center_loss(entry.losses),
        candidates=recorded.candidates,
        passes=recorded.passes,
        seconds=recorded.seconds,
    )
    return [
        f"round {step.before.round}: {name.replace('_', ' ')} is recorded as {getattr(recorded, name)}, but comes out "
        f"as {getattr(made, name)}"
        for name in _DECIDED
        if not _equal(getattr(made, name), getattr(recorded, name))
    ]


def _begun_differently(recorded: Plan, made: Plan) -> list[str]:
    there, here = recorded.first.best.loss, made.first.best.loss
    if there == here:
        return []
    return [f"{START}: the loss of the given initial weights is recorded as {there!r}, now {here!r}"]


def _scored_differently(number: int, recorded: Losses, losses: Losses) -> list[str]:
    others = np.flatnonzero(recorded.view(np.uint64) != losses.view(np.uint64))
    if not len(others):
        return []
    first = int(others[0])
    return [
        f"round {number}: {len(others)} of {len(losses)} losses come out differently, the first that of candidate "
        f"{first}: recorded as {float(recorded[first])!r}, now {float(losses[first])!r}"
    ]


def _measured_differently(step: Step, strategy: AnyStrategy, pool: Pool) -> list[str]:
    measured = step.outcome.measured
    if measured == NOT_MEASURED:
        return []
    again = measure(strategy, pool, step.outcome.after)
    return [
        f"round {step.before.round}: {name.replace('_', ' ')} is recorded as {there}, but comes out as {here}"
        for name, there, here in zip(Measured._fields, measured, again, strict=True)
        if not _equal(there, here)
    ]


def _equal(first: object, second: object) -> bool:
    """Whether two records say the same; what is not a number is the same as itself."""
    return first == second or repr(first) == repr(second)


class _Kept:
    """The files with weights in them, each to be compared with the state that it must hold."""

    def __init__(self, replay: Replay) -> None:
        stored, self._plan = replay.stored, replay.plan
        names = [name for name in (BEST, CHECKPOINT, PREVIOUS) if name != PREVIOUS or (stored.path / name).exists()]
        self._files = {name: stored.content(name) for name in names}
        best = self._files[BEST][1]
        if best.get("loss", 0.0) is None:  # as format 1 wrote infinity
            best["loss"] = named(inf)
        self._result = stored.result
        self._found: list[str] = []
        self.compare(replay.plan.first)

    def compare(self, state: State) -> None:
        """Compare the files that are of this state."""
        self._last = state
        for name, stored in [*self._files.items()]:
            made = self._made(name, stored[1], state)
            if made is not None:
                del self._files[name]
                self._found += [f"{name}: {part} is not that of round {state.round}" for part in _others(stored, made)]

    @property
    def cut_short(self) -> bool:
        """Whether the best weights are of no state so far: of a round that was not finished, if it is the first."""
        return BEST in self._files

    def differences(self) -> list[str]:
        """A sentence for each part that is another, and for each file whose state has not come up."""
        missing = [f"{name} is of a state that the history does not reach" for name in self._files]
        return self._found + missing + self._ended_differently()

    def _ended_differently(self) -> list[str]:
        if self._result is None:
            return []
        result, made = self._result, checkpoints.best_content(self._last.best, {})[1]
        recorded = {"loss": result.loss, "round": result.best_round, "index": result.best_index}
        return [
            f"{RESULT}: {name} is recorded as {recorded[name]}, but comes out as {made[name]}"
            for name in recorded
            if made[name] != named(recorded[name])
        ]

    def _made(self, name: str, scalars: dict[str, Any], state: State) -> checkpoints.Content | None:
        """What the file must contain if it is of this state."""
        if name != BEST:
            return checkpoints.flatten(state) if scalars.get("round") == state.round else None
        best = state.best
        if (scalars.get("round"), scalars.get("index")) != (best.round, best.index):
            return None
        if (scalars.get("loss") == named(inf)) != (best.loss == inf):  # the start, or the center of round 0
            return None
        return checkpoints.best_content(best, self._plan.named(best.weights))


def _others(stored: checkpoints.Content, made: checkpoints.Content) -> list[str]:
    """The names of what is not the same in both."""
    names = {*stored[0], *made[0]} | {*stored[1], *made[1]}
    return sorted(name for name in names if not _same(stored, made, name))


def _same(stored: checkpoints.Content, made: checkpoints.Content, name: str) -> bool:
    first, second = stored[0].get(name), made[0].get(name)
    if first is None or second is None:
        return first is second and name in stored[1] and stored[1][name] == made[1].get(name)
    return (first.dtype, first.shape, first.tobytes()) == (second.dtype, second.shape, second.tobytes())
