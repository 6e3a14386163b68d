"""What distsearch costs, each figure beside its yardstick, both measured in this run: trust the ratios.

The yardsticks are the course's own loop written plainly in NumPy, the machine's own matrix product, and Ray's start.
Every time is the lowest of several runs: what else the machine does can only add to it. Candidates and rounds
take turns with their yardsticks, so that a machine that is slow for a while is so to both.
"""

import argparse
import logging
import sys
from collections.abc import Callable, Iterator

from core import single_core
from dispatching import dispatching
from figures import Figure
from functions import function_scaling
from lane import lane_scaling
from pool import idleness, ray_scaling, recovery
from process import memory, processes
from rich.console import Console
from rich.table import Table

from distsearch.machine import cores, description, one_thread

PARTS: dict[str, Callable[[], Iterator[Figure]]] = {
    "core": single_core,
    "ray": ray_scaling,
    "functions": function_scaling,
    "lane": lane_scaling,
    "idle": idleness,
    "process": processes,
    "memory": memory,
    "dispatch": dispatching,
    "recovery": recovery,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="scripts/benchmark", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help=f"which of {', '.join(PARTS)}; all if none")
    chosen = parser.parse_args().parts or list(PARTS)
    logging.getLogger("distsearch").addHandler(logging.NullHandler())  # its messages do not belong in the table
    console = Console(width=None if sys.stdout.isatty() else 140)
    machine = description()
    console.print(
        f"{machine['processor']}, {cores()} cores; NumPy {machine['numpy']}, {machine['blas']}", highlight=False
    )
    table = Table(box=None, pad_edge=False)
    for name in ("what", "measured", "yardstick", "ratio", "limit", ""):
        table.add_column(name)
    for part in chosen:
        with one_thread():
            for figure in PARTS[part]():
                table.add_row(
                    figure.name, figure.measured, figure.yardstick, f"{figure.ratio:.3g}", figure.bound, figure.verdict
                )
    console.print(table, highlight=False)


if __name__ == "__main__":
    main()
