"""What a virtual cluster is made of: machines, what things take there, what goes wrong, and what comes out."""

from dataclasses import dataclass
from math import inf

from distsearch.workers.dispatch.instructions import Shard


@dataclass(frozen=True, slots=True)
class Costs:
    """What things take; seconds."""

    units: int = 1  # per tile, except the last
    tile: float = 0.01  # to compute one unit
    shard: float = 0.0  # per shard, besides its tiles
    worker_spread: float = 0.0  # log-normal sigma of the workers' speeds
    shard_spread: float = 0.0  # log-normal sigma of the time a shard takes on one worker
    tail_chance: float = 0.0  # probability that a shard takes longer by a factor ~ Pareto(tail_shape)
    stall_every: float = inf  # of work: then the worker stands still for `stall` times ~ Pareto(tail_shape)
    stall: float = 0.1
    tail_shape: float = 1.5
    latency: float = 0.0003  # of a message, one way
    start: float = 1.0  # of a worker
    notice: float = 0.01  # from a worker's death until the driver hears of it
    kill: float = 0.05  # from dropping a worker until it is dead
    driver: float = 0.0  # the driver's own time for a call: half to send it, half to take its answer


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong, or right again, at a time in seconds.

    kill     a worker dies                        hang    it stops and never continues
    pause    it stops for `seconds`               cut     nothing reaches it or leaves it for `seconds`
    repeat   its next answer comes twice          refuse  workers started within `seconds` fail to start
    want     the cluster has room for `which`
    """

    at: float
    kind: str
    which: int = 0  # index among the workers alive
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Swept:
    """The outcome of one sweep."""

    losses: list[float]
    seconds: float
    sends: int
    answers: int  # handled by the driver, accepted or not
    busy: float  # share of the workers' time spent running something
    useful: float  # share of their time spent on accepted answers


class Machine:
    """One worker's process."""

    def __init__(self, number: int, slowness: float) -> None:
        self.number = number
        self.slowness = slowness
        self.queue: list[Shard] = []  # the first one is running
        self.began_at = 0.0
        self.life = 0  # incremented whenever something starts running or is interrupted
        self.dead = False
        self.repeats = False
        self.stopped_until = self.cut_until = 0.0
        self.joined_at = self.left_at = inf
        self.busy = 0.0  # seconds, in this sweep
        self.in_flight: list[Shard] = []  # as far as the driver knows
