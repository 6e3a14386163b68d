"""The race over networks without useful gradients: distsearch against what others have published, and beside them here.

Protocol. Settings were chosen with --validate: trained on nine tenths of the training examples, scored on the last
tenth. The race itself trains on all of them. The test set is scored once at each mark, for the curves. A search chooses
its weights by the loss on the training examples (the others, who keep a tenth of these for it, by the accuracy on that
tenth), and only the accuracy of the weights so chosen counts in the end. Medians over the seeds.

Seconds are of search, on two cores, or on one for ours with --workers 0: those spent measuring are left out, for all.
Ours is run with the largest number of --workers for every seed, and with smaller ones for a while, with the first seed,
to see what a worker is worth. polystep is run where it has published an accuracy, with further seeds only if it reaches
that with the first. On a machine with many cores, --at-once lets several searches run side by side, each on cores of
its own. Results are added to the files in --output: the race can be run row by row; table and picture are made from all
that is there of these rows.
"""

import argparse
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import inf
from pathlib import Path
from queue import SimpleQueue

from apart import end_when_interrupted
from rich.console import Console

from distsearch.machine import description
from nondiff.asked import chosen, parser_of, sources_of
from nondiff.folders import folder_of
from nondiff.lines import sentence
from nondiff.marks import OURS, Search
from nondiff.picture import picture
from nondiff.processes import CORES, searched
from nondiff.records import merged, read_searches, write_rows, write_searches
from nondiff.rows import ROWS, Row
from nondiff.table import COLUMNS, lines_of, rows_of, speeds, table_of

LOOK = 20.0  # seconds, at least, to see how fast fewer workers are; or a sixth of the row's


@dataclass(frozen=True)
class Entry:
    """A search to be made."""

    row: Row
    who: str
    workers: int
    seed: int
    seconds: float
    whole: bool = True  # or for its speed alone

    @property
    def cores(self) -> int:
        """The cores that it may use."""
        return 1 if self.who == OURS and not self.workers else CORES


def arguments() -> argparse.Namespace:
    parser = parser_of("nondiff", __doc__, ROWS)
    parser.add_argument("--seeds", type=int, default=5, help="searches of each; default: 5")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="of ours; default: 1 2")
    parser.add_argument("--seconds", type=float, help="of ours; default: the row's own, 60 to 600")
    parser.add_argument("--validate", action="store_true", help="score a validation split instead of the test set")
    parser.add_argument("--adam", action="store_true", help="run Adam too, with surrogate gradients, as long as ours")
    parser.add_argument("--polystep", action="store_true", help="run polystep 1.1.0 too, --times as long as ours")
    parser.add_argument("--times", type=float, default=10, help="polystep's seconds, by ours; default: 10")
    parser.add_argument("--at-once", type=int, default=1, metavar="N", help="searches side by side; default: 1")
    return parser.parse_args()


def entries(given: argparse.Namespace, rows: list[Row]) -> Iterator[Entry]:
    """What is to be run, row by row, cycling through the seeds."""
    most = max(given.workers)
    for row in rows:
        seconds = given.seconds or row.seconds
        for workers in sorted(set(given.workers) - {most}):
            yield Entry(row, OURS, workers, 0, min(seconds, max(LOOK, seconds / 6)), whole=False)
        for seed in range(given.seeds):
            yield Entry(row, OURS, most, seed, seconds)
            if given.adam:
                yield Entry(row, "adam", 0, seed, seconds)
            if given.polystep and row.polystep is not None:
                yield Entry(row, "polystep", 0, seed, given.times * seconds)


def made(entry: Entry, folder: str, machine: str, command: str, cores: list[int]) -> Search:
    """Run an entry's search in its own process, on these cores; on any if there are none."""
    search = Search(entry.row.name, entry.who, entry.workers, entry.seed, machine=machine, command=command)
    order = {"seconds": entry.seconds, "folder": folder, "cores": cores}
    return searched(search, f"nondiff.run_{entry.who}", order, whole=entry.whole)


def run(given: argparse.Namespace, file: Path, machine: str, console: Console) -> None:
    """Run what is to be run, adding each search to the file."""
    sources = sources_of(given)
    todo = list(entries(given, chosen(given, ROWS, console)))
    folders = {each.row.data: folder_of(each.row.data, sources, given.output / "data", given.validate) for each in todo}
    places = _places(given.at_once, max((each.cores for each in todo), default=1))
    hopeless: set[str] = set()  # rows
    one_at_a_time = threading.Lock()

    def do(entry: Entry) -> None:
        if entry.who == "polystep" and entry.row.name in hopeless:
            return
        folder, command = folders[entry.row.data], ""
        if entry.who == OURS and entry.whole:
            command = entry.row.command(folder, entry.seed, entry.workers, entry.seconds)
            console.print(command, highlight=False, markup=False, soft_wrap=True)
        cores = places.get()
        try:
            search = made(entry, folder, machine, command, cores[: entry.cores])
        finally:
            places.put(cores)
        console.print(sentence(search), highlight=False, markup=False, soft_wrap=True)
        with one_at_a_time:
            write_searches(file, merged(read_searches(file), [search]))
        if entry.who == "polystep" and search.time_to(entry.row.polystep or 0.0) == inf:
            hopeless.add(entry.row.name)

    with ThreadPoolExecutor(given.at_once) as pool:
        list(pool.map(do, todo))


def _places(at_once: int, cores: int) -> SimpleQueue[list[int]]:
    """The numbers of the cores for each of the searches that run side by side; none where they cannot be chosen."""
    places: SimpleQueue[list[int]] = SimpleQueue()
    here = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if at_once > 1 and len(here) < at_once * cores:
        raise SystemExit(
            f"--at-once {at_once}: that takes {at_once * cores} cores, and there are {len(here) or os.cpu_count()}: "
            "run fewer side by side"
        )
    for number in range(at_once):
        places.put(here[number * cores : (number + 1) * cores])
    return places


def main() -> None:
    given = arguments()
    end_when_interrupted()
    console = Console(width=None if sys.stdout.isatty() else 180)
    given.output.mkdir(parents=True, exist_ok=True)
    name = "nondiff-validation" if given.validate else "nondiff"
    file = given.output / f"{name}-marks.csv"
    here = description()
    machine = f"{here['processor']}, {os.cpu_count()} cores"
    console.print(f"{machine}; NumPy {here['numpy']}, {here['blas']}", highlight=False, soft_wrap=True)
    if not given.draw:
        run(given, file, machine, console)
    searches = [each for each in read_searches(file) if each.row in (given.rows or ROWS)]
    lines = lines_of(searches)
    console.print(table_of(lines, speeds(searches)), highlight=False)
    write_rows(given.output / f"{name}.csv", rows_of(lines), COLUMNS)
    (given.output / f"{name}.svg").write_text(picture(lines), encoding="utf-8")
    console.print(f"table, marks and picture are in {given.output}", highlight=False)


if __name__ == "__main__":
    main()
