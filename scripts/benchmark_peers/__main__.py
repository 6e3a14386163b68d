"""distsearch compared with its peers: the same machine, data and initial weights, and two cores for each.

Seconds are from a prepared problem (library imported, data in arrays, Ray started) to the target, including any
compilation; the median of several seeds. Each search is its own process. A peer that does not reach its target within
a limit of a minute or more is run with the first seed only.

Other races, over networks without useful gradients and over torch modules, are `scripts/benchmark-peers nondiff` and
`scripts/benchmark-peers modules`.
"""

import argparse
import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
from apart import end_when_interrupted
from bars import bars_of, picture
from courses import courses_of
from entries import Entry, entries
from outcomes import Line, Machine, Outcome, line, searched, verdict
from report import tables, verdicts_table, write_lines, write_points
from rich.console import Console
from tasks import CORES, TASKS, Problem

from distsearch.machine import cores, description, one_thread

LONG_LIMIT = 50  # seconds
WHERE = "mnist-97"  # the task whose time is taken apart


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/benchmark-peers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tasks", nargs="*", choices=[[], *TASKS], help=f"of {', '.join(TASKS)}; all if none")
    parser.add_argument("--mnist", default="", metavar="FOLDER", help="folder with MNIST's four IDX files")
    parser.add_argument("--seeds", type=int, default=5, help="searches of each; default: 5")
    parser.add_argument("--limit", type=float, help="seconds a search may take; default: the task's own, 20 to 600")
    parser.add_argument("--only", default="", metavar="WORD", help="only those with this in their name")
    parser.add_argument("--output", type=Path, default=Path("benchmark-peers"), metavar="FOLDER", help="for the files")
    return parser.parse_args()


def machine() -> Machine:
    """The rates of one core: a product of 1024 × 1024 matrices, and exp of an array that stays in the cache."""
    from timing import seconds

    matrix = np.random.default_rng(0).standard_normal((1024, 1024), np.float32)
    numbers = matrix[:64].copy()
    with one_thread():
        product = 2 * 1024**3 / seconds(lambda: matrix @ matrix)
        return Machine(product, numbers.size / seconds(lambda: np.exp(numbers)))


def chosen(given: argparse.Namespace, console: Console) -> list[Entry]:
    """The entries of the tasks that are requested and possible."""
    names = list(given.tasks or TASKS)
    if not given.mnist and any(TASKS[name].mnist for name in names):
        console.print("without --mnist FOLDER the tasks on MNIST are left out", highlight=False)
        names = [name for name in names if not TASKS[name].mnist]
    found = [each for each in entries() if each.task in names and given.only in each.name]
    return sorted(found, key=lambda each: names.index(each.task))


def all_outcomes(given: argparse.Namespace, taking_part: Sequence[Entry], console: Console) -> list[Outcome]:
    """The searches, task by task, cycling through the seeds, so that a disturbance affects all entries alike."""
    outcomes: list[Outcome] = []
    for _, group in groupby(taking_part, key=lambda each: each.task):
        own = list(group)
        for seed in range(given.seeds):
            for entry in own:
                if seed and _hopeless(entry, outcomes):
                    continue
                limit = given.limit or TASKS[entry.task].limit
                outcome = searched(entry, seed, limit, given.mnist)
                outcomes.append(outcome)
                console.print(_sentence(outcome), highlight=False, markup=False, soft_wrap=True)
    return outcomes


def _hopeless(entry: Entry, outcomes: Sequence[Outcome]) -> bool:
    """Whether a search is not worth another seed: it failed, or did not reach the target in minutes."""
    first = next(each for each in outcomes if each.entry == entry)
    return bool(first.failure) or (not entry.ours and first.seconds is None and TASKS[entry.task].limit > LONG_LIMIT)


def _sentence(outcome: Outcome) -> str:
    what = f"{outcome.entry.task}, {outcome.entry.name}, seed {outcome.seed}"
    if outcome.failure:
        return f"{what}: {outcome.failure}"
    end = "" if outcome.final is None else f", {outcome.final:.4f} at the end"
    reached = "not reached" if outcome.seconds is None else f"{outcome.seconds:.3g} s"
    micro = "" if outcome.microseconds is None else f", {outcome.microseconds:.3g} µs a candidate"
    return f"{what}: {reached}{end}{micro}"


def lines_of(outcomes: Sequence[Outcome], yardstick: Machine) -> list[Line]:
    """One line per entry, in task order."""
    by_entry: dict[tuple[str, str], list[Outcome]] = {}
    for each in outcomes:
        by_entry.setdefault((each.entry.task, each.entry.name), []).append(each)
    return [line(TASKS[task], own, yardstick) for (task, _), own in by_entry.items()]


def print_where(given: argparse.Namespace, taking_part: Sequence[Entry], console: Console) -> None:
    """Where the time goes in our own search of MNIST."""
    from where import shares  # brings in what is to be timed

    entry = next((each for each in taking_part if each.task == WHERE and each.ours), None)
    if entry is None:
        return
    problem = Problem.of(TASKS[WHERE], given.mnist, 0)
    console.print(f"\n[bold]where the time goes[/bold]: {WHERE}, {entry.name}, until {TASKS[WHERE].target}")
    for part, share in shares(problem, entry.settings, TASKS[WHERE].limit, given.mnist).items():
        console.print(f"{share:7.1%}  {part}", highlight=False)


def _machine_line(yardstick: Machine) -> str:
    here = description()
    return (
        f"{here['processor']}, {min(CORES, cores())} of {cores()} cores; NumPy {here['numpy']}, {here['blas']}; "
        f"a core: sgemm {yardstick.flops / 1e9:.0f} GFLOP/s, exp {1e9 / yardstick.exponentials:.2f} ns"
    )


def main() -> None:
    given = arguments()
    end_when_interrupted()
    console = Console(width=None if sys.stdout.isatty() else 180)
    yardstick = machine()
    console.print(_machine_line(yardstick), highlight=False, soft_wrap=True)
    taking_part = chosen(given, console)
    outcomes = all_outcomes(given, taking_part, console)
    if not outcomes:
        return
    lines = lines_of(outcomes, yardstick)
    console.print(*tables(lines), "", highlight=False)
    names = dict.fromkeys(each.task.name for each in lines)
    console.print(verdicts_table(verdict(TASKS[name], lines) for name in names), highlight=False)
    given.output.mkdir(parents=True, exist_ok=True)
    write_lines(given.output / "peers.csv", lines)
    write_points(given.output / "trajectories.csv", outcomes)
    drawn = picture(bars_of(given.output / "peers.csv"), courses_of(given.output / "trajectories.csv"))
    (given.output / "peers.svg").write_text(drawn, encoding="utf-8")
    console.print(f"table, trajectories and picture are in {given.output}", highlight=False)
    print_where(given, taking_part, console)


if __name__ == "__main__":
    main()
