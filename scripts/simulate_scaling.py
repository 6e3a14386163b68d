"""How rounds would scale from 1 to 4,096 workers: simulated, no cluster is used.

The dispatcher is the real one; its time per shard is measured in this process. Simulated are the workers, the
network and the rest of the driver:

  a worker     runs its shards in order. A unit takes the given time; workers differ in speed, and so does the same
               worker from shard to shard (log-normal, a tenth and a twentieth). Now and then a worker stands still,
               for a time with a heavy tail (Pareto, shape 1.5): that is what makes rounds wait for stragglers.
  the network  adds half the latency of a call on the way there and half on the way back. The driver's own link is
               its bottleneck: it sends the state to one node after the other, its own apart, before the round
               begins, and receives one answer after the other.
  the driver   does one thing after the other: its part of the round, then calls. Each costs it time of its own, and
               the time to copy the answer: half to send and half to collect. Checkpoints are not modelled.

The speed-up is how many seconds of work, standing still and the driver's part included, are done in one second. Below
1, the driver would do the round by itself, as soon as it has measured that. With many workers and short rounds its
calls are the limit: see how busy it is. Bytes are of the payload: the state down (once a node if it is large, else with
each call, as the pool does), and losses and sums up, repeats included. The first rounds, in which the dispatcher learns
how long a tile takes, are left out.
"""

import argparse
import sys
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from simulated import Costs, Swept
from simulator import Simulation

from distsearch.workers.dispatch.instructions import Policy

LARGEST_INLINE = 100_000  # bytes of a state that travels with each call
SHARD_BYTES = 16  # lo and hi
LOSS_BYTES = 8
SLICES = 2  # of a batch of node-perturbation: the forward passes that one worker would make
FIRST_ROUNDS = 3  # in which the dispatcher learns how long a tile takes
MEMORY_BANDWIDTH = 10e9  # bytes a second, of a copy in the driver: 400 kB take 40 µs


@dataclass(frozen=True, slots=True)
class Work:
    """A kind of round; measure its times again where they have changed."""

    what: str
    units: int  # in a round
    unit_ms: float  # to compute one
    tile: int = 1  # units computed together
    state_bytes: int = 1_000  # down
    sums_bytes: int = 0  # up in a round, whoever has which part of them, with the losses
    shard_ms: float = 0.0  # of a shard besides its units
    driver_ms: float = 0.0  # the driver's own part of a round
    rounds: int = 2  # to take the mean of


WEIGHTS_1024 = 4 * (1024 * 785 + 10 * 1025)  # bytes of 784-1024-10
WEIGHTS_128 = 4 * (128 * 785 + 10 * 129)  # bytes of 784-128-10
WORKS = {
    "candidates": Work("candidates of 784-128-10", 1_048_576, 50.0, tile=8, state_bytes=WEIGHTS_128),
    "function": Work("candidates of a function of 0.1 s", 4_096, 100.0, rounds=10),
    # The sums of both slices go up, and each shard begins with its slice's forward pass.
    "nodes-1024": Work(
        "units of node-perturbation, 784-1024-10",
        64,
        0.144,
        state_bytes=WEIGHTS_1024,
        sums_bytes=2 * WEIGHTS_1024,
        shard_ms=1.4,
        driver_ms=3.4,
        rounds=100,
    ),
    "nodes-128": Work(
        "units of node-perturbation, 784-128-10",
        16,
        0.156,
        state_bytes=WEIGHTS_128,
        sums_bytes=2 * WEIGHTS_128,
        shard_ms=0.2,
        driver_ms=0.5,
        rounds=100,
    ),
}
COLUMNS = ("workers", "round", "speed-up", "idle", "repeated", "shards", "driver busy", "dispatcher", "down", "up")


@dataclass(frozen=True, slots=True)
class Round:
    """What came of one simulated round; all times in seconds."""

    seconds: float  # from beginning to end
    alone: float  # what was done in it, if one worker did one thing after the other
    busy: float  # of the workers, together
    useful: float  # the part of it that went into accepted answers
    driver: float  # for its part of the round, and for calls
    dispatcher: float  # real ones
    shards: int
    down: float  # bytes
    up: float


@dataclass(frozen=True, slots=True)
class Row:
    """Some rounds with this many workers."""

    workers: int
    rounds: list[Round]

    def mean(self, field: str) -> float:
        """The mean of a field of the rounds."""
        return sum(getattr(each, field) for each in self.rounds) / len(self.rounds)

    def cells(self) -> list[str]:
        """As text, in the order of COLUMNS."""
        seconds, shards = self.mean("seconds"), self.mean("shards")
        return [
            f"{self.workers:,}",
            duration(seconds),
            f"{self.mean('alone') / seconds:,.1f}",
            f"{1 - self.mean('busy') / (self.workers * seconds):.1%}",
            f"{(self.mean('busy') - self.mean('useful')) / (self.workers * seconds):.1%}",
            f"{shards:,.0f}",
            f"{self.mean('driver') / seconds:.1%}",
            f"{self.mean('dispatcher') / shards * 1e6:.0f} µs",
            size(self.mean("down")),
            size(self.mean("up")),
        ]


def size(count: float) -> str:
    return f"{count / 1e6:,.1f} MB" if count >= 1e6 else f"{count / 1e3:,.1f} kB"


def duration(seconds: float) -> str:
    return f"{seconds:,.2f} s" if seconds >= 1 else f"{seconds * 1e3:,.1f} ms"


def simulate(workers: int, work: Work, arguments: argparse.Namespace) -> Row:
    nodes = ceil(workers / arguments.workers_per_node)
    call = arguments.call_ms / 1e3
    link = arguments.gigabits * 1e9 / 8  # bytes a second
    collecting = work.sums_bytes / sharers(work, workers) * (1 / MEMORY_BANDWIDTH + (1 - 1 / nodes) / link)
    costs = Costs(
        units=work.tile,
        shard=work.shard_ms / 1e3,
        tile=work.tile * work.unit_ms / 1e3,
        worker_spread=0.1,
        shard_spread=0.05,
        stall_every=arguments.stall_every,
        stall=arguments.stall,
        tail_shape=1.5,
        latency=arguments.latency_ms / 2e3,
        driver=call + collecting,
    )
    cluster = Simulation(Policy(call_seconds=call), costs, arguments.seed)
    cluster.open(workers)
    boundaries = [*range(0, work.units, work.tile), work.units]
    rounds = []
    for number in range(FIRST_ROUNDS + work.rounds):
        before = cluster.dispatcher_seconds
        swept = cluster.sweep(boundaries)
        if swept is None:
            raise SystemExit(f"the simulated round was stopped: {cluster.error}")
        if number >= FIRST_ROUNDS:
            units = sum(send.shard.hi - send.shard.lo for _, send in cluster.sent)
            dispatching = cluster.dispatcher_seconds - before
            rounds.append(round_of(work, swept, workers, min(nodes, swept.sends), link, costs, dispatching, units))
    return Row(workers, rounds)


def sharers(work: Work, workers: int) -> int:
    """Among how many shards the sums of a round are divided; one shard alone adds up what two have."""
    return min(work.units, max(2, workers))


def round_of(
    work: Work, swept: Swept, workers: int, nodes: int, link: float, costs: Costs, dispatching: float, units: int
) -> Round:
    """A round whose units, repeats included, were swept by the workers of that many nodes."""
    large = work.state_bytes > LARGEST_INLINE
    putting = work.state_bytes / MEMORY_BANDWIDTH + (nodes - 1) * work.state_bytes / link if large else 0.0
    beside = work.driver_ms / 1e3 + putting
    busy = workers * swept.busy * swept.seconds
    useful = min(busy, workers * swept.useful * swept.seconds)
    return Round(
        seconds=swept.seconds + beside,
        alone=useful + work.driver_ms / 1e3 - max(0, swept.sends - SLICES) * work.shard_ms / 1e3,
        busy=busy,
        useful=useful,
        driver=beside + swept.sends * costs.driver,
        dispatcher=dispatching,
        shards=swept.sends,
        down=(nodes if large else swept.sends) * work.state_bytes + swept.sends * SHARD_BYTES,
        up=units * LOSS_BYTES + swept.sends * work.sums_bytes / sharers(work, workers),
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="simulate-scaling", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("works", nargs="*", choices=[[], *WORKS], metavar="WORK", help=f"which of {', '.join(WORKS)}; all if none")
    add("--workers", type=int, default=4096, metavar="N", help="up to this many, doubling from 1 (%(default)s)")
    add("--units", type=int, metavar="N", help="in a round, instead of each work's own")
    add("--unit-ms", type=float, metavar="MS", help="to compute one, instead of each work's own")
    add(
        "--call-ms",
        type=float,
        default=Policy().call_seconds * 1e3,
        metavar="MS",
        help="the driver's own time for a Ray call (%(default)s)",
    )
    add("--latency-ms", type=float, default=0.7, metavar="MS", help="there and back (%(default)s)")
    add("--gigabits", type=float, default=10.0, metavar="GBIT", help="a second, of the driver's link (%(default)s)")
    add("--stall", type=float, default=0.2, metavar="S", help="how long a worker stalls, at least (%(default)s)")
    add("--stall-every", type=float, default=60.0, metavar="S", help="of its work, on average (%(default)s)")
    add("--workers-per-node", type=int, default=32, metavar="N", help="(%(default)s)")
    add("--seed", type=int, default=0, metavar="N", help="of the simulated times (%(default)s)")
    add("--markdown", action="store_true", help="print the tables for the README")
    arguments = parser.parse_args()
    for name in ("workers", "units", "unit_ms", "call_ms", "latency_ms", "gigabits", "stall", "stall_every"):
        require_positive(parser, arguments, name)
    require_positive(parser, arguments, "workers_per_node")
    return arguments


def require_positive(parser: argparse.ArgumentParser, arguments: argparse.Namespace, name: str) -> None:
    value = getattr(arguments, name)
    if value is not None and not value > 0:
        parser.error(f"--{name.replace('_', '-')}: expected a number above 0, got {value}")


def title_of(work: Work, arguments: argparse.Namespace) -> str:
    driver = f"{work.driver_ms:g} ms of the driver's own a round, " if work.driver_ms else ""
    return (
        f"Simulated, not measured: rounds of {work.units:,} {work.what}, {work.unit_ms:g} ms each; {driver}"
        f"a call {arguments.call_ms:g} ms of the driver's time, a link of {arguments.gigabits:g} Gbit/s, a stall of "
        f"{arguments.stall:g} s or more every {arguments.stall_every:g} s of work. Only the dispatcher's time is real: "
        "µs a shard, on this machine."
    )


def rows_of(work: Work, arguments: argparse.Namespace) -> list[list[str]]:
    """The table's lines, for each power of two of workers; says on a terminal how far it is."""
    lines = []
    for power in range(arguments.workers.bit_length()):
        lines.append(simulate(2**power, work, arguments).cells())
        if sys.stderr.isatty():
            print(f"\r{work.what}: simulated {2**power:,} workers", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print("\r" + " " * 80 + "\r", end="", file=sys.stderr)
    return lines


def main() -> None:
    arguments = parse()
    console = Console(width=None if sys.stdout.isatty() else 120)
    for name in arguments.works or WORKS:
        work = WORKS[name]
        work = replace(work, units=arguments.units or work.units, unit_ms=arguments.unit_ms or work.unit_ms)
        title, lines = title_of(work, arguments), rows_of(work, arguments)
        if arguments.markdown:
            print(f"{title}\n\n| {' | '.join(COLUMNS)} |\n|{'--:|' * len(COLUMNS)}")
            for line in lines:
                print(f"| {' | '.join(line)} |")
            print()
            continue
        table = Table(box=None, pad_edge=False, title=title, title_justify="left")
        for column in COLUMNS:
            table.add_column(column, justify="right")
        for line in lines:
            table.add_row(*line)
        console.print(table, highlight=False)


if __name__ == "__main__":
    main()
