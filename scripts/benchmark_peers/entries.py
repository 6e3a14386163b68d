"""The entries in each task, with their settings. Ours first: strategy, flags and workers (0: in process)."""

from dataclasses import dataclass, field
from typing import Any

DISTSEARCH = "distsearch"
BACKPROPAGATION = "backpropagation"


@dataclass(frozen=True)
class Entry:
    """One competitor's search in a task."""

    task: str
    kind: str  # the file that runs it
    name: str  # as shown
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def ours(self) -> bool:
        """Whether it is distsearch."""
        return self.kind == DISTSEARCH

    @property
    def peer(self) -> bool:
        """Whether it is someone else's gradient-free search."""
        return self.kind not in (DISTSEARCH, BACKPROPAGATION)


# fmt: off
# task, strategy, its flags, workers; --seconds is the task's limit if the flags do not set it (schedules may follow it)
OURS: list[tuple[str, str, dict[str, Any], int]] = [
    ("chapter", "hill-climb", {}, 0),
    ("chapter", "node-perturbation", {"start": "he"}, 0),
    ("spiral", "node-perturbation", {}, 0),
    ("spiral", "snes", {}, 0),
    ("spiral", "evolution-strategy", {"sigma": 0.1}, 0),
    ("digits", "node-perturbation", {"measure_every": 15}, 0),
    ("digits", "evolution-strategy", {}, 2),
    ("mnist", "node-perturbation", {"measure_every": 60}, 0),
    ("mnist", "node-perturbation", {"measure_every": 60}, 2),
    ("mnist-97", "node-perturbation", {"measure_every": 117}, 0),
    ("mnist-98", "node-perturbation", {"measure_every": 234}, 0),
    ("mnist-step", "node-perturbation", {"measure_every": 117}, 0),
    ("mnist-rate", "evolution-strategy", {"batch": 1024, "rank": 1, "population": 256}, 2),
]

# task, file, its algorithm, step sizes and the like: found by trying factors of two
PEERS: list[tuple[str, str, str, dict[str, Any]]] = [
    ("chapter", "cma", "CMA-ES", {"sigma": 0.5, "population": 16}),
    ("chapter", "evotorch", "CMAES", {"stdev_init": 0.5, "popsize": 16, "threads": 1}),
    ("chapter", "evosax", "CMA_ES", {"population_size": 16, "std_init": 0.5, "generations": 20}),
    ("chapter", "evosax", "Open_ES", {"population_size": 32, "std": 0.1, "learning_rate": 0.1, "generations": 20}),
    ("chapter", "pygad", "GA", {"population": 64, "mutation": 0.5}),
    ("spiral", "evosax", "Open_ES", {"population_size": 64, "std": 0.1, "learning_rate": 0.05, "generations": 20}),
    ("spiral", "evosax", "SNES", {"population_size": 64, "std_init": 0.1, "generations": 20}),
    ("spiral", "evotorch", "PGPE", {"popsize": 64, "stdev_init": 0.1, "center_learning_rate": 0.05, "threads": 1}),
    ("spiral", "cma", "CMA-ES", {"sigma": 0.3, "population": 24}),
    ("spiral", "pygad", "GA", {"population": 64, "mutation": 0.2}),
    ("digits", "evosax", "Open_ES", {"population_size": 64, "std": 0.05, "learning_rate": 0.05, "generations": 10}),
    ("digits", "evosax", "SNES", {"population_size": 64, "std_init": 0.1, "generations": 10}),
    ("digits", "evotorch", "PGPE", {"popsize": 64, "stdev_init": 0.05, "center_learning_rate": 0.05}),
    ("digits", "pygad", "GA", {"population": 64, "mutation": 0.1}),
    ("mnist", "evosax", "Open_ES", {"population_size": 256, "std": 0.05, "learning_rate": 0.01, "generations": 1}),
    ("mnist", "evotorch", "PGPE", {"popsize": 256, "stdev_init": 0.05, "center_learning_rate": 0.01}),
    ("mnist-step", "evosax", "Open_ES", {"population_size": 256, "std": 0.05, "learning_rate": 0.01, "generations": 1}),
    ("mnist-rate", "evosax", "Open_ES", {"population_size": 256, "std": 0.05, "learning_rate": 0.01, "generations": 1}),
    ("mnist-rate", "evotorch", "PGPE", {"popsize": 256, "stdev_init": 0.05, "center_learning_rate": 0.01}),
]

# task, library, settings: on the same network, and from the same weights where the library lets us say so
GRADIENTS: list[tuple[str, str, dict[str, Any]]] = [
    ("chapter", "torch", {"learning_rate": 0.1, "threads": 1}),
    ("spiral", "torch", {"learning_rate": 0.03, "threads": 1}),
    ("digits", "torch", {"learning_rate": 0.03, "threads": 1}),
    ("mnist", "torch", {"learning_rate": 0.003, "batch": 128}),
    ("mnist", "scikit-learn", {"learning_rate": 0.003, "batch": 128}),
    ("mnist-97", "torch", {"learning_rate": 0.003, "batch": 128}),
    ("mnist-97", "scikit-learn", {"learning_rate": 0.003, "batch": 128}),
    ("mnist-98", "torch", {"learning_rate": 0.001, "batch": 128}),
    ("mnist-98", "scikit-learn", {"learning_rate": 0.001, "batch": 128}),
]
# fmt: on


def entries() -> list[Entry]:
    """All entries, ours first."""
    return [
        *(
            Entry(task, DISTSEARCH, f"distsearch {strategy}, {_place(workers)}", _with(strategy, flags, workers))
            for task, strategy, flags, workers in OURS
        ),
        *(
            Entry(task, kind, f"{kind} {algorithm}", {"algorithm": algorithm, **settings})
            for task, kind, algorithm, settings in PEERS
        ),
        *(
            Entry(task, BACKPROPAGATION, f"{library}, backpropagation", {"library": library, **settings})
            for task, library, settings in GRADIENTS
        ),
    ]


def _place(workers: int) -> str:
    return f"{workers} workers" if workers else "in process"


def _with(strategy: str, flags: dict[str, Any], workers: int) -> dict[str, Any]:
    return {"strategy": strategy, **flags, "workers": workers}
