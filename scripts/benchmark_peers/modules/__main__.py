"""The race of torch modules: how long we take, and others who search modules without gradients.

Three networks are searched as modules and, beside these, as layers of our own, with the same settings: what a module
costs. An LSTM and a transformer with hard attention read the rows of an image. A search of ours ends when the last of
its accuracies on the test set is measured, or with its seconds; measuring is not counted. --peers runs EvoTorch's
SupervisedNE and polystep on the same modules, --times as long as ours may take, with the first seed only; what counts
is how many times fewer seconds we need to the accuracy that they come to. Medians over the seeds.

Results are added to the files in --output: the race can be run row by row, and the table is made from all that is there
of these rows.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from apart import end_when_interrupted
from nondiff.asked import chosen, parser_of, sources_of
from nondiff.folders import folder_of
from nondiff.lines import sentence
from nondiff.marks import OURS, Search
from nondiff.processes import searched
from nondiff.records import merged, read_searches, write_rows, write_searches
from rich.console import Console

from distsearch.machine import description
from modules.rows import LAYERS, ROWS, Module
from modules.table import COLUMNS, Compared, markdown, rows_of

PEERS = ("evotorch", "polystep")


@dataclass(frozen=True)
class Entry:
    """A search to be made."""

    module: Module
    who: str
    workers: int
    seed: int
    seconds: float

    @property
    def runner(self) -> str:
        """The module of this folder that makes it."""
        return f"modules.run_{self.who if self.who in PEERS else 'ours'}"


def arguments() -> argparse.Namespace:
    parser = parser_of("modules", __doc__, ROWS)
    parser.add_argument("--seeds", type=int, default=3, help="searches of each; default: 3")
    parser.add_argument("--workers", type=int, default=2, help="of ours; 0: one core; default: 2")
    parser.add_argument("--seconds", type=float, help="of ours, at most; default: the row's own, 120 to 600")
    parser.add_argument("--peers", action="store_true", help="run EvoTorch and polystep too")
    parser.add_argument("--times", type=float, default=1, help="the seconds of others, by ours at most; default: 1")
    parser.add_argument("--only", default="", metavar="WORD", help=f"of {', '.join((OURS, LAYERS, *PEERS))}")
    return parser.parse_args()


def entries(given: argparse.Namespace, modules: list[Module]) -> Iterator[Entry]:
    """What is to be run, row by row, cycling through the seeds."""
    for module in modules:
        seconds = given.seconds or module.own.seconds
        for seed in range(given.seeds):
            each = [Entry(module, OURS, given.workers, seed, seconds)]
            if module.layers is not None:
                each.append(Entry(module, LAYERS, given.workers, seed, seconds))
            if given.peers and not seed:
                each += [Entry(module, who, 0, seed, given.times * seconds) for who in PEERS]
            yield from (entry for entry in each if given.only in ("", entry.who))


def run(given: argparse.Namespace, file: Path, machine: str, console: Console) -> None:
    """Run what is to be run, adding each search to the file."""
    for entry in entries(given, chosen(given, ROWS, console)):
        folder = folder_of(entry.module.data, sources_of(given), given.output / "data", validate=False)
        begun = Search(entry.module.name, entry.who, entry.workers, entry.seed, machine=machine)
        order = {"who": entry.who, "seconds": entry.seconds, "folder": folder, "cores": []}
        search = searched(begun, entry.runner, order)
        console.print(sentence(search), highlight=False, markup=False, soft_wrap=True)
        write_searches(file, merged(read_searches(file), [search]))


def main() -> None:
    given = arguments()
    end_when_interrupted()
    console = Console(width=None if sys.stdout.isatty() else 180)
    given.output.mkdir(parents=True, exist_ok=True)
    file = given.output / "modules-marks.csv"
    machine = f"{description()['processor']}, {os.cpu_count()} cores"
    console.print(machine, highlight=False, soft_wrap=True)
    if not given.draw:
        run(given, file, machine, console)
    compared = Compared(each for each in read_searches(file) if each.row in (given.rows or ROWS))
    table = markdown(compared)
    console.print(table, highlight=False, markup=False, soft_wrap=True)
    write_rows(given.output / "modules.csv", rows_of(compared), COLUMNS)
    (given.output / "modules.md").write_text(table, encoding="utf-8")
    console.print(f"table and marks are in {given.output}", highlight=False)


if __name__ == "__main__":
    main()
