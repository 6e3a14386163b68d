"""The cost of the driver's decisions and of checkpoints, and the bytes sent over the wire."""

import pickle
import time
from collections import deque
from collections.abc import Iterator

from figures import MICRO, Figure, run_seconds

from distsearch.config import from_flags
from distsearch.runs.directory import Run
from distsearch.search.assembly import assemble
from distsearch.workers.dispatch.dispatcher import Dispatcher
from distsearch.workers.dispatch.instructions import Policy, Send
from distsearch.workers.parcels import packed
from distsearch.workers.requests import EvaluateRound


def dispatching() -> Iterator[Figure]:
    """What the driver decides, what checkpoints cost, and what goes over the wire."""
    yield Figure("dispatcher, a shard", *_limited(dispatch_seconds() * MICRO, "µs"), 50, False)
    total, saving = checkpoint_seconds()
    yield Figure(
        "run of 12 s with checkpoints", f"{total:.2f} s", f"{total - saving:.2f} s, without", total / (total - saving),
        1.02, False,
    )  # fmt: skip
    prepared = assemble(
        from_flags({"data": "digits", "layers": [64, 32], "strategy": "hill-climb", "population": 1024})
    )
    state = prepared.plan.first
    content, arrays = packed(EvaluateRound(state).outgoing(prepared.strategy))
    down = len(content) + sum(array.nbytes for array in arrays)
    answers = [len(pickle.dumps(prepared.strategy.work(state, prepared.objective, 0, count))) for count in (512, 1024)]
    up = (answers[1] - answers[0]) / 512
    weights = prepared.task.weights_count
    yield Figure(
        f"wire: down to a worker, {weights:,} weights", f"{down:,} B", f"{4 * weights:,} B, the weights",
        down / (4 * weights), 1.1, False,
    )  # fmt: skip
    shard = f"8 B, a loss; {answers[1] - 1024 * up:.0f} B more a shard"
    yield Figure("wire: up, a candidate", f"{up:.1f} B", shard, up / 8, 1.0, False)


def _limited(measured: float, unit: str) -> tuple[str, str, float]:
    return f"{measured:.3g} {unit}", f"limit in {unit}", measured


def dispatch_seconds(workers: int = 256, shards: int = 20_000) -> float:
    """The dispatcher's time per shard: to send it, to handle its answer, to check the time."""
    dispatcher, now = Dispatcher(Policy()), 0.0
    waiting: deque[Send] = deque()
    for started in dispatcher.want(workers, now):
        dispatcher.joined(started.worker, now)
    answered = 0
    waiting.extend(dispatcher.start(range(10 * shards), now))
    began = time.perf_counter()
    while waiting:
        send = waiting.popleft()
        now += 0.05 / workers
        answered += 1
        heard = dispatcher.answered(send.worker, send.shard, now, 0.05)
        waiting.extend(each for each in heard + dispatcher.tick(now) if isinstance(each, Send))
    return (time.perf_counter() - began) / answered


def checkpoint_seconds() -> tuple[float, float]:
    """The time for a search of a large network in this process: in total, and for checkpoints."""
    spent = 0.0
    save = Run.save

    def timed(*given: object) -> None:
        nonlocal spent
        began = time.perf_counter()
        save(*given)  # type: ignore[arg-type]
        spent += time.perf_counter() - began

    Run.save = timed  # type: ignore[method-assign,assignment]
    try:
        total = run_seconds(data="digits", strategy="hill-climb", layers=[512, 512], seconds=12.0)
    finally:
        Run.save = save  # type: ignore[method-assign]
    return total, spent
