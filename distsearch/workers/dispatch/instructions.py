"""What the dispatcher is told once (its policy) and what it tells the pool to do (its instructions)."""

from dataclasses import dataclass, fields
from typing import NamedTuple

from distsearch.errors import SettingError


@dataclass(frozen=True, slots=True)
class Policy:
    """How work is cut and how long is waited; all times in seconds."""

    in_flight: int = 2  # shards at one worker: one runs, the rest hide the round trip of a call
    shards_per_worker: int = 8  # a shard is this fraction of a worker's fair part of the tiles that are left
    max_shards: int = 65_536  # in one sweep, repeats not counted
    shortest_shard: float = 0.05  # below this a call costs more than it balances
    call_seconds: float = 0.0007  # the driver's own time for one call: all workers together must not outrun it
    backup_factor: float = 2.0  # after this many times its usual time an idle worker may run a shard as well
    backup_floor: float = 0.1  # but never before this
    deadline_factor: float = 4.0  # a shard is late after this many times the usual time of its tiles
    deadline_floor: float = 1.0  # but never before this: a stall of the machine is no reason to work twice
    first_deadline: float = 60.0  # while nothing has been answered and nothing is known
    lates_before_drop: int = 3  # deadlines in a row that others had to meet in a worker's place
    deaths_before_stop: int = 8  # workers lost one after another while they ran the same shard
    retry_delay: float = 0.1  # doubled for each worker that the shard has cost; none for the first
    restarts: int = 16  # replacements that may be started at once
    restart_seconds: float = 30.0  # until another one may be started
    wait_for_worker: float = 300.0  # without any worker, before giving up

    def __post_init__(self) -> None:
        """Raise SettingError for a number that would leave everyone waiting for ever."""
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "restarts" and value == 0:
                continue
            if not value > 0:
                raise SettingError(f"{field.name}: expected a number above 0, got {value!r}")


class Shard(NamedTuple):
    """Units lo to hi (hi not included) of a sweep: a run of whole tiles. Sweeps are numbered from 1."""

    sweep: int
    lo: int
    hi: int


class StartWorker(NamedTuple):
    """Start a worker under this number, which is never used again; `joined` or `lost` tells how it went."""

    worker: int


class Send(NamedTuple):
    """Send the shard to the worker, behind what it already has."""

    worker: int
    shard: Shard


class Accept(NamedTuple):
    """The answer just reported is the first for its shard: keep it. Without this instruction, drop it."""

    shard: Shard


class GiveUp(NamedTuple):
    """Kill the worker and forget it; whatever it still answers is ignored."""

    worker: int
    reason: str


class Say(NamedTuple):
    """Tell the user."""

    message: str


class Stop(NamedTuple):
    """Raise the error: the sweep cannot be finished. Always the last of its list."""

    error: Exception


Instruction = StartWorker | Send | Accept | GiveUp | Say | Stop
