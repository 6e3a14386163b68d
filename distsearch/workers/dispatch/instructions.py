"""The dispatcher's policy, given once, and the instructions that it gives to the pool."""

from dataclasses import dataclass, fields
from typing import NamedTuple

from distsearch.errors import SettingError


@dataclass(frozen=True, slots=True)
class Policy:
    """How work is cut and how long to wait; all times in seconds."""

    in_flight: int = 2  # shards at one worker: one runs, the rest hide the round trip of a call
    shards_per_worker: int = 8  # a shard is this fraction of a worker's fair share of the remaining tiles
    max_shards: int = 65_536  # in one sweep, not counting repeats
    shortest_shard: float = 0.05  # below this, a call costs more than it gains in balance
    call_seconds: float = 0.0007  # the driver's own time per call: all workers together must not outrun it
    backup_factor: float = 2.0  # after this multiple of its usual time, an idle worker may run a shard as well
    backup_floor: float = 0.1  # but never before this
    deadline_factor: float = 4.0  # a shard is late after this multiple of the usual time for its tiles
    deadline_floor: float = 1.0  # but never before this: a stall of the machine is no reason to work twice
    first_deadline: float = 60.0  # before the first answer, while nothing is known
    lates_before_drop: int = 3  # deadlines in a row that others had to meet in a worker's place
    deaths_before_stop: int = 8  # workers lost one after another while running the same shard
    retry_delay: float = 0.1  # doubled for each worker that the shard has cost; none for the first
    restarts: int = 16  # replacements that may be started at once
    restart_seconds: float = 30.0  # until another may be started
    wait_for_worker: float = 300.0  # without any worker, before giving up

    def __post_init__(self) -> None:
        """Raise SettingError for a number that would leave everyone waiting forever."""
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "restarts" and value == 0:
                continue
            if not value > 0:
                raise SettingError(f"{field.name}: expected a number above 0, got {value!r}")


class Shard(NamedTuple):
    """The units [lo, hi) of a sweep: a contiguous range of whole tiles. Sweeps are numbered from 1."""

    sweep: int
    lo: int
    hi: int


class StartWorker(NamedTuple):
    """Start a worker under this number, which is never reused; report `joined` or `lost` afterwards."""

    worker: int


class Send(NamedTuple):
    """Send the shard to the worker, queued after what it already has."""

    worker: int
    shard: Shard


class Accept(NamedTuple):
    """Keep the answer just reported, the first for its shard. Without this instruction, drop it."""

    shard: Shard


class GiveUp(NamedTuple):
    """Kill the worker and forget it; any further answers are ignored."""

    worker: int
    reason: str


class Say(NamedTuple):
    """Tell the user."""

    message: str


class Stop(NamedTuple):
    """Raise the error: the sweep cannot be finished. Always the last of its list."""

    error: Exception


Instruction = StartWorker | Send | Accept | GiveUp | Say | Stop
