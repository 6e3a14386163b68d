"""Who may import whom: the table of the rooms, held against the imports in the code."""

import ast
from pathlib import Path

import pytest

import distsearch

PACKAGE = Path(distsearch.__file__).parent

BASE = {"errors", "settings"}
PROBLEM = {"problem.checks", "problem.raw", "problem.readers", "problem.tables", "problem.generators"}

# What each room may import of the package, and of what is outside of the standard library.
ROOMS: dict[str, tuple[set[str], set[str]]] = {
    "errors": (set(), set()),
    "settings": ({"errors"}, {"msgspec"}),
    "config": (BASE, {"msgspec"}),
    "randomness": (set(), {"numpy"}),
    "machine": (set(), {"numpy", "threadpoolctl"}),
    "interrupts": (set(), set()),
    "candidates": ({"errors"}, {"numpy"}),
    "pairs": ({"candidates"}, {"numpy"}),
    "strategies.__init__": (BASE | {"candidates", "strategies.*"}, set()),
    "strategies.sums": (set(), {"numpy"}),
    "strategies.ranks": (set(), {"numpy"}),
    "strategies.schedules": (set(), set()),
    "strategies.restarts": ({"randomness"}, {"numpy"}),
    "strategies.cma_constants": (set(), {"numpy"}),
    "strategies.cma_es": (
        BASE | {"candidates", "strategies.base", "strategies.cma_constants", "strategies.ranks", "strategies.restarts"},
        {"numpy", "msgspec"},
    ),
    "strategies.optimizers": (BASE | {"strategies.base", "strategies.schedules"}, {"numpy", "msgspec"}),
    "strategies.descent": ({"strategies.base", "strategies.optimizers", "strategies.schedules"}, {"numpy"}),
    "strategies.base": (BASE | {"candidates", "randomness", "strategies.sums"}, {"numpy", "msgspec"}),
    "strategies.ladder": ({"candidates", "settings", "strategies.base"}, {"numpy"}),
    "strategies.*": (
        BASE
        | {"candidates", "pairs", "randomness", "strategies.base", "strategies.descent", "strategies.ladder"}
        | {"strategies.optimizers", "strategies.ranks", "strategies.sums"},
        {"numpy", "msgspec"},
    ),
    "problem.network": ({"errors", "candidates", "randomness"}, {"numpy"}),
    "problem.losses": ({"errors"}, {"numpy"}),
    "problem.objective": (
        {"errors", "candidates", "pairs", "randomness", "problem.batches", "problem.datasets", "problem.losses"}
        | {"problem.network", "problem.nodes"},
        {"numpy"},
    ),
    "problem.advice": ({"problem.datasets", "problem.losses", "problem.raw"}, {"numpy"}),
    "problem.batches": ({"errors", "randomness", "problem.datasets"}, {"numpy"}),
    "problem.nodes": ({"candidates", "randomness", "problem.batches", "problem.losses", "problem.network"}, {"numpy"}),
    "problem.*": ({"errors", "randomness"} | PROBLEM, {"numpy", "sklearn", "pyarrow"}),
    "workers.dispatch": (
        {"errors", "workers.deadlines", "workers.instructions", "workers.room", "workers.staff", "workers.sweep"},
        set(),
    ),
    "workers.deadlines": ({"errors", "workers.instructions", "workers.sweep"}, set()),
    "workers.instructions": ({"errors"}, set()),
    "workers.kinds": (set(), set()),
    "workers.room": ({"workers.deadlines"}, set()),
    "workers.shortcuts": (set(), set()),
    "workers.staff": ({"errors", "workers.instructions"}, set()),
    "workers.sweep": ({"errors", "workers.instructions"}, set()),
    "workers.jobs": ({"problem.objective", "strategies.base", "strategies.sums"}, {"numpy"}),
    "workers.base": (
        {"errors", "problem.objective", "strategies.base", "strategies.sums", "workers.jobs"},
        {"numpy"},
    ),
    "workers.local": ({"workers.base", "workers.jobs"}, set()),
    "workers.parcels": ({"workers.jobs"}, {"numpy"}),
    "workers.worker": (
        {"machine", "strategies.base", "problem.objective", "workers.jobs", "workers.parcels"},
        {"numpy"},
    ),
    "workers.ray_pool": (
        {"errors", "machine", "strategies.base", "problem.objective", "workers.*"},
        {"ray", "numpy"},
    ),
    "workers.ray_cluster": ({"errors", "machine"}, {"ray"}),
    "workers.metrics": ({"history", "strategies.base", "workers.base"}, {"ray"}),
    "checkpoints": ({"errors"}, {"numpy", "msgspec", "safetensors"}),
    "documents": ({"errors"}, {"msgspec"}),
    "history": ({"errors", "documents", "strategies.base"}, {"numpy", "msgspec"}),
    "runs": (BASE | {"config", "checkpoints", "documents", "history", "strategies.base"}, {"numpy", "msgspec"}),
    "storage.__init__": ({"storage.*"}, set()),
    "storage.addresses": ({"errors", "storage.index"}, set()),
    "storage.index": ({"errors", "documents", "runs", "storage.places"}, {"msgspec"}),
    "storage.places": ({"errors", "checkpoints"}, set()),
    "storage.object_stores": ({"errors", "storage.addresses", "storage.places"}, {"pyarrow"}),
    "storage.publisher": ({"errors", "documents", "history", "runs", "storage.*"}, {"msgspec"}),
    "storage.fetching": ({"errors", "checkpoints", "runs", "storage.*"}, set()),
    "rounds": ({"history", "problem.objective", "strategies.base"}, {"numpy"}),
    "limits": ({"config", "history"}, set()),
    "model": (
        {"errors", "candidates", "config", "machine", "problem.losses", "problem.datasets", "problem.network"}
        | {"problem.batches", "problem.objective", "runs"},
        {"numpy"},
    ),
    "predictions": ({"model"}, {"numpy"}),
    "session": (
        {"errors", "candidates", "config", "history", "limits", "machine", "model", "problem", "problem.advice"}
        | {"problem.datasets", "problem.losses", "problem.network"}
        | {"problem.objective", "runs", "search", "storage", "strategies", "strategies.base"}
        | {"workers.base", "workers.local", "workers.metrics", "workers.ray_pool"},
        {"numpy", "msgspec"},
    ),
    "resumption": (
        {"errors", "config", "history", "machine", "problem.datasets", "problem.objective", "runs", "search"}
        | {"session", "storage", "strategies.base", "workers.base"},
        {"msgspec"},
    ),
    "api": (
        {"errors", "config", "history", "model", "problem", "problem.datasets", "problem.losses", "runs", "session"}
        | {"strategies.base"},
        {"numpy"},
    ),
    "comparison": (
        {"errors", "config", "limits", "problem.datasets", "runs", "search", "session", "settings", "strategies"}
        | {"workers.base", "workers.ray_cluster"},
        {"msgspec"},
    ),
    "verification": (
        {"errors", "checkpoints", "documents", "history", "machine", "model", "problem.datasets", "problem.objective"}
        | {"resumption", "rounds", "runs", "session", "strategies", "strategies.base", "workers.base"},
        {"numpy", "msgspec"},
    ),
    "jobs.access": ({"errors"}, set()),
    "jobs.wheel": ({"", "errors"}, set()),
    "jobs.parcel": (
        {"errors", "jobs.wheel", "problem", "problem.generators", "problem.datasets", "problem.readers"},
        set(),
    ),
    "jobs.cluster": ({"errors", "jobs.access"}, {"ray"}),
    "jobs.archive": ({"errors", "checkpoints", "documents", "history", "runs"}, set()),
    "jobs.following": ({"errors", "jobs.cluster"}, set()),
    "jobs.submission": ({"errors", "jobs.archive", "jobs.cluster", "jobs.following", "jobs.parcel"}, set()),
    "search": (
        {
            "config",
            "documents",
            "errors",
            "history",
            "interrupts",
            "limits",
            "rounds",
            "runs",
            "strategies.base",
            "problem.objective",
            "workers.base",
        },
        set(),
    ),
}


def modules() -> dict[str, Path]:
    paths = sorted(PACKAGE.rglob("*.py"))
    return {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in paths}


def imports(path: Path) -> tuple[set[str], set[str]]:
    """What a file imports: modules of the package, and top-level names of others, the standard library left out."""
    import sys

    own, others = set(), set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [
                f"{node.module}.{alias.name}" if is_module(f"{node.module}.{alias.name}") else node.module
                for alias in node.names
            ]
        for name in names:
            top, _, rest = name.partition(".")
            if top == "distsearch":
                own.add(rest)
            elif top not in sys.stdlib_module_names:
                others.add(top)
    return own, others


def is_module(name: str) -> bool:
    path = PACKAGE.parent.joinpath(*name.split("."))
    return name.startswith("distsearch") and (path.with_suffix(".py").exists() or path.is_dir())


def allowed(module: str, permitted: set[str]) -> bool:
    return module in permitted or f"{module.rpartition('.')[0]}.*" in permitted


ROOM_OF = {
    module: ROOMS.get(module) or ROOMS.get(f"{module.rpartition('.')[0]}.*")
    for module in modules()
    if module not in {"workers.__init__", "problem.__init__"}
}


@pytest.mark.parametrize("module", [module for module, room in ROOM_OF.items() if room])
def test_a_room_imports_only_what_it_may(module):
    own, others = imports(modules()[module])
    permitted = ROOM_OF[module]
    assert {name for name in own if not allowed(name, permitted[0])} == set()
    assert others - permitted[1] == set()


def test_only_one_room_names_numpy_s_random_numbers_only_the_workers_ray_and_one_its_job_client():
    naming = {"numpy.random": set(), "import ray": set(), "ray.job_submission": set()}
    for module, path in modules().items():
        text = path.read_text(encoding="utf-8")
        for words, users in naming.items():
            code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith(("#", '"')))
            if words in code or (words == "numpy.random" and "np.random" in code):
                users.add(module)
    assert naming == {
        "numpy.random": {"randomness"},
        "import ray": {"workers.ray_cluster", "workers.ray_pool"},
        "ray.job_submission": {"jobs.cluster"},
    }


@pytest.mark.parametrize(("module", "path"), modules().items())
def test_no_file_is_too_long(module, path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 350
