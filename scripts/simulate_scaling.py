"""How rounds would scale from 1 to 4,096 workers: simulated, no cluster is used.

The dispatcher is the real one; its time per shard is measured in this process. Simulated are the workers, the
network and the rest of the driver:

  a worker     runs its shards in order. A tile takes the given time; workers differ in speed, and so does the same
               worker from shard to shard (log-normal, a tenth and a twentieth). Now and then a worker stands still,
               for a time with a heavy tail (Pareto, shape 1.5): that is what makes rounds wait for stragglers.
  the network  adds half the latency of a call on the way there and half on the way back. Bandwidth is not modelled.
  the driver   does one thing after the other: each call costs it time of its own, half to send and half to collect.
               Time for `tell`, checkpoints and the like is not modelled.

The speed-up is how many seconds of work, standing still included, are accepted in one second. With many workers and
short rounds the driver's calls are the limit: see how busy it is. Bytes are of the payload: the state down (once a
node if it is large, else with each call, as the pool does) and one float64 a candidate up, repeats included. The
first round, in which the dispatcher learns how long a tile takes, is left out.
"""

import argparse
import sys
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "workers" / "dispatch"))

from simulator import Costs, Simulation, Swept

from distsearch.workers.dispatch.instructions import Policy

LARGEST_INLINE = 100_000  # bytes of a state that travels with each call
SHARD_BYTES = 16  # lo and hi
LOSS_BYTES = 8
COLUMNS = ("workers", "round", "speed-up", "idle", "repeated", "shards", "driver busy", "dispatcher", "down", "up")


@dataclass(frozen=True, slots=True)
class Row:
    """The mean round with this many workers, in seconds, bytes and shares."""

    workers: int
    seconds: float
    speedup: float
    idle: float
    repeated: float
    shards: float
    driver: float
    dispatcher: float  # a shard
    down: float
    up: float

    def cells(self) -> list[str]:
        """As text, in the order of COLUMNS."""
        return [
            f"{self.workers:,}",
            f"{self.seconds:,.2f} s",
            f"{self.speedup:,.1f}",
            f"{self.idle:.1%}",
            f"{self.repeated:.1%}",
            f"{self.shards:,.0f}",
            f"{self.driver:.1%}",
            f"{self.dispatcher * 1e6:.0f} µs",
            size(self.down),
            size(self.up),
        ]


def size(count: float) -> str:
    return f"{count / 1e6:,.1f} MB" if count >= 1e6 else f"{count / 1e3:,.1f} kB"


def simulate(workers: int, arguments: argparse.Namespace) -> Row:
    call = arguments.call_ms / 1e3
    costs = Costs(
        tile=arguments.tile * arguments.candidate_ms / 1e3,
        worker_spread=0.1,
        shard_spread=0.05,
        stall_every=arguments.stall_every,
        stall=arguments.stall,
        tail_shape=1.5,
        latency=arguments.latency_ms / 2e3,
        driver=call,
    )
    cluster = Simulation(Policy(call_seconds=call), costs, arguments.seed)
    cluster.open(workers)
    boundaries = range(ceil(arguments.candidates / arguments.tile) + 1)
    sent_tiles, rounds = 0, []
    for number in range(arguments.rounds + 1):
        before = cluster.dispatcher_seconds
        swept = cluster.sweep(boundaries)
        if swept is None:
            raise SystemExit(f"the simulated round was stopped: {cluster.error}")
        if number:
            rounds.append((swept, cluster.dispatcher_seconds - before))
            sent_tiles += sum(send.shard.hi - send.shard.lo for _, send in cluster.sent)
    return summary(workers, arguments, rounds, sent_tiles)


def summary(workers: int, arguments: argparse.Namespace, rounds: list[tuple[Swept, float]], sent_tiles: int) -> Row:
    count = len(rounds)
    seconds = sum(swept.seconds for swept, _ in rounds) / count
    sends = sum(swept.sends for swept, _ in rounds) / count
    busy = sum(swept.busy for swept, _ in rounds) / count
    useful = min(busy, sum(swept.useful for swept, _ in rounds) / count)
    nodes = ceil(workers / arguments.workers_per_node)
    copies = nodes if arguments.state_bytes > LARGEST_INLINE else sends
    return Row(
        workers=workers,
        seconds=seconds,
        speedup=workers * useful,
        idle=1 - busy,
        repeated=busy - useful,
        shards=sends,
        driver=sends * arguments.call_ms / 1e3 / seconds,
        dispatcher=sum(spent for _, spent in rounds) / (sends * count),
        down=copies * arguments.state_bytes + sends * SHARD_BYTES,
        up=sent_tiles / count * arguments.tile * LOSS_BYTES,
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="simulate-scaling", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--workers", type=int, default=4096, metavar="N", help="up to this many, doubling from 1 (%(default)s)")
    add("--candidates", type=int, default=1_048_576, metavar="N", help="per round (%(default)s)")
    add("--candidate-ms", type=float, default=50.0, metavar="MS", help="to evaluate one (%(default)s)")
    add("--tile", type=int, default=8, metavar="N", help="candidates evaluated together (%(default)s)")
    add(
        "--call-ms",
        type=float,
        default=Policy().call_seconds * 1e3,
        metavar="MS",
        help="the driver's own time for a Ray call (%(default)s)",
    )
    add("--latency-ms", type=float, default=0.7, metavar="MS", help="there and back (%(default)s)")
    add("--stall", type=float, default=0.2, metavar="S", help="how long a worker stalls, at least (%(default)s)")
    add("--stall-every", type=float, default=60.0, metavar="S", help="of its work, on average (%(default)s)")
    add("--state-bytes", type=int, default=407_080, metavar="N", help="784-128-10 in float32 (%(default)s)")
    add("--workers-per-node", type=int, default=32, metavar="N", help="(%(default)s)")
    add("--rounds", type=int, default=2, metavar="N", help="to take the mean of (%(default)s)")
    add("--seed", type=int, default=0, metavar="N", help="of the simulated times (%(default)s)")
    add("--markdown", action="store_true", help="print the table for the README")
    arguments = parser.parse_args()
    for name in ("workers", "candidates", "candidate_ms", "tile", "state_bytes", "workers_per_node", "rounds"):
        if getattr(arguments, name) <= 0:
            parser.error(f"--{name.replace('_', '-')}: expected a number above 0, came {getattr(arguments, name)}")
    for name in ("call_ms", "latency_ms", "stall", "stall_every"):
        if not getattr(arguments, name) > 0:
            parser.error(f"--{name.replace('_', '-')}: expected a number above 0, came {getattr(arguments, name)}")
    return arguments


def main() -> None:
    arguments = parse()
    title = (
        f"Simulated, not measured: rounds of {arguments.candidates:,} candidates of {arguments.candidate_ms:g} ms, "
        f"a call {arguments.call_ms:g} ms of the driver's time, a stall of {arguments.stall:g} s or more every "
        f"{arguments.stall_every:g} s of work. Only the dispatcher's time is real: µs a shard, on this machine."
    )
    counts = [2**power for power in range(arguments.workers.bit_length())]
    rows = []
    for workers in counts:
        rows.append(simulate(workers, arguments))
        if sys.stderr.isatty():
            print(f"\rsimulated {workers:,} workers", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print("\r" + " " * 40 + "\r", end="", file=sys.stderr)
    cells = [row.cells() for row in rows]
    if arguments.markdown:
        print(f"{title}\n\n| {' | '.join(COLUMNS)} |\n|{'--:|' * len(COLUMNS)}")
        for line in cells:
            print(f"| {' | '.join(line)} |")
        return
    table = Table(box=None, pad_edge=False, title=title, title_justify="left")
    for name in COLUMNS:
        table.add_column(name, justify="right")
    for line in cells:
        table.add_row(*line)
    Console(width=None if sys.stdout.isatty() else 120).print(table, highlight=False)


if __name__ == "__main__":
    main()
