"""Events for a dispatcher, made by hand: the common start of several tests."""

from distsearch.workers.dispatch.dispatcher import Dispatcher
from distsearch.workers.dispatch.instructions import Instruction, Policy, Send, Shard, StartWorker


def loss(sweep: int, unit: int) -> float:
    """Different for each sweep and unit, so that a misplaced answer is noticed."""
    return sweep + unit / 1_000_003


def opened(workers: int, policy: Policy | None = None) -> Dispatcher:
    dispatcher = Dispatcher(policy or Policy())
    for start in dispatcher.want(workers, 0.0):
        assert isinstance(start, StartWorker)
        assert dispatcher.joined(start.worker, 0.0) == []
    return dispatcher


def sent(instructions: list[Instruction]) -> list[Send]:
    return [instruction for instruction in instructions if isinstance(instruction, Send)]


def measured(workers: int, policy: Policy | None = None) -> Dispatcher:
    """A dispatcher that knows that a tile takes a second. The time is 1 s, and all workers are idle."""
    dispatcher = opened(workers, policy)
    for send in dispatcher.start(range(workers + 1), 0.0):
        dispatcher.answered(send.worker, send.shard, 1.0)
    assert dispatcher.done
    return dispatcher


def finish(dispatcher: Dispatcher, queue: list[Send], now: float) -> list[Shard]:
    """Answer these shards and all that are sent in response; returns the shards sent."""
    queue, shards = list(queue), []
    while queue:
        send = queue.pop(0)
        more = sent(dispatcher.answered(send.worker, send.shard, now))
        shards += [send.shard for send in more]
        queue += more
    return shards
