"""How well node-perturbation learns with several multiples of its default learning rate, on several networks.

Accuracy is that of the running mean of weights, on test examples where the data has some; each number is the median of
the seeds. The default should be near the best of its row, with the start that networks of that depth get.
"""

import argparse
from collections.abc import Sequence
from statistics import median

from rich.console import Console
from rich.table import Table

from distsearch.config import RunConfig, from_flags
from distsearch.data.datasets import Dataset
from distsearch.machine import keep_memory, one_thread
from distsearch.search.assembly import assemble
from distsearch.search.data import read_data

MULTIPLES = (0.25, 0.5, 1.0, 2.0, 4.0)

Task = tuple[str, dict[str, object], int]  # its name, its settings, its rounds

SMALL: list[Task] = [
    ("chapter, 2-3-3", {"data": "vertical"}, 300),
    ("spiral, 2-64-3", {"data": "spiral", "layers": [64]}, 500),
    ("digits, 64-32-10", {"data": "digits", "layers": [32], "test_share": 0.2}, 200),
    ("digits, 64-64-32-10", {"data": "digits", "layers": [64, 32], "test_share": 0.2}, 200),
    ("digits, four layers of 32", {"data": "digits", "layers": [32] * 4, "test_share": 0.2}, 200),
    ("digits, eight layers of 32", {"data": "digits", "layers": [32] * 8, "test_share": 0.2}, 200),
]


def large(folder: str) -> list[Task]:
    """Tasks on a folder of IDX files such as MNIST's."""
    data = {"data": folder, "validation_share": 0}
    return [
        ("784-128-10", data | {"layers": [128]}, 320),
        ("784-1024-10", data | {"layers": [1024]}, 320),
        ("784-256-256-10", data | {"layers": [256, 256]}, 320),
        ("784-128-10, step", data | {"layers": [128], "activation": "step"}, 320),
    ]


def accuracy(config: RunConfig, dataset: Dataset, rounds: int) -> float:
    """The accuracy after that many rounds."""
    assembly = assemble(config, dataset)
    strategy, state, objective = assembly.strategy, assembly.plan.first, assembly.objective
    for _ in range(rounds):
        answers = [strategy.work(state, objective, 0, strategy.units(state))]
        state = strategy.tell(state, answers, lambda coefficients: coefficients)
    measured = objective.measure(strategy.proposed(state))
    found = measured.accuracy if measured.test_accuracy is None else measured.test_accuracy
    return float(found or 0.0)


def row(task: Task, seeds: Sequence[int]) -> list[str]:
    """A line of the table."""
    name, settings, rounds = task
    flags = {"workers": 0, "strategy": "node-perturbation", **settings}
    dataset = read_data(from_flags(flags))
    default = assemble(from_flags(flags), dataset).strategy.settings.rate
    cells = []
    for multiple in MULTIPLES:
        configs = [from_flags({**flags, "seed": seed, "rate": default * multiple}) for seed in seeds]
        cells.append(f"{median(accuracy(config, dataset, rounds) for config in configs):.4f}")
    return [name, str(rounds), f"{default:.4f}", *cells]


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/tune-rates", description=__doc__)
    parser.add_argument(
        "--mnist", action="append", default=[], help="a folder of IDX files; may be given several times"
    )
    parser.add_argument("--seeds", type=int, default=3)
    chosen = parser.parse_args()
    table = Table(box=None, pad_edge=False)
    for title in ("task", "rounds", "default", *(f"× {multiple:g}" for multiple in MULTIPLES)):
        table.add_column(title)
    keep_memory()
    with one_thread():
        for task in [*SMALL, *(task for folder in chosen.mnist for task in large(folder))]:
            table.add_row(*row(task, range(chosen.seeds)))
    Console(width=120).print(table, highlight=False)


if __name__ == "__main__":
    main()
