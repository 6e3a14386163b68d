"""Who may import whom: the table of rooms, compared with the imports in the code.

A room is a folder, or a module at the top level. It may import the rooms (or single modules of a room) that its row
names, the third-party packages in its row, and the standard library.
"""

import ast
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import distsearch

PACKAGE = Path(distsearch.__file__).parent

SETTINGS = {"errors", "settings"}
EVALUATED = {"candidates", "errors", "randomness", "registry"}
SCORED = EVALUATED | {"data", "networks", "objectives"}
KEPT = {"config", "errors", "machine", "runs", "settings", "text"}

ROOMS: dict[str, tuple[set[str], set[str]]] = {
    "errors": (set(), set()),
    "randomness": (set(), {"numpy"}),
    "machine": ({"errors"}, {"numpy", "threadpoolctl"}),
    "registry": ({"errors"}, set()),
    "text": ({"errors"}, set()),
    "synonyms": (set(), set()),
    "settings": ({"errors", "synonyms", "text"}, {"msgspec"}),
    "config": (SETTINGS, {"msgspec"}),
    "candidates": ({"errors", "randomness"}, {"numpy"}),
    "networks": (EVALUATED | {"text"}, {"numpy", "onnx", "onnxruntime", "torch"}),
    "data": (
        {"errors", "machine", "randomness", "registry"},
        {"PIL", "msgspec", "numpy", "pyarrow", "python_calamine", "sklearn"},
    ),
    "objectives": (SCORED | {"config", "machine"}, {"msgspec", "numpy"}),
    "strategies": (EVALUATED | SETTINGS | {"machine", "objectives.base"}, {"msgspec", "numpy"}),
    "runs": (KEPT | {"strategies"}, {"msgspec", "numpy", "safetensors"}),
    "storage": (KEPT, {"msgspec", "pyarrow"}),
    "workers": ({"candidates", "errors", "machine", "objectives", "runs", "strategies"}, {"grpc", "numpy", "ray"}),
    "search": (SCORED | KEPT | {"storage", "strategies", "workers"}, {"msgspec", "numpy"}),
    "testing": (SCORED | {"machine", "runs", "settings", "strategies", "workers"}, {"numpy"}),
    "export": ({"data", "errors", "networks", "objectives", "runs"}, {"msgspec", "numpy", "onnx"}),
    "trackers": (KEPT | {"search", "strategies"}, {"mlflow", "msgspec", "tensorboardX", "wandb"}),
    "reports": (
        SCORED | KEPT | {"randomness", "search", "strategies"},
        {"PIL", "matplotlib", "msgspec", "numpy", "plotext", "pyarrow", "rich"},
    ),
    "jobs": (KEPT | {"data"}, {"ray"}),
    "api": (
        KEPT
        | {"data", "export", "networks.modules.sources", "objectives", "reports", "search"}
        | {"strategies", "workers"},
        {"IPython", "msgspec", "numpy", "pandas", "sklearn"},
    ),
    "callbacks": ({"api", "search", "trackers"}, set()),
    "serving": ({"workers"}, set()),
    "cli": (
        SCORED | KEPT | {"export", "jobs", "reports", "search", "storage", "strategies", "synonyms"},
        {"_typeshed", "msgspec", "numpy", "rich", "typer"},
    ),
}
DOORS = {
    "__init__": ({"api", "callbacks", "errors", "search"}, set()),
    "__main__": ({"cli", "errors", "workers"}, {"typer"}),
}

# The dispatcher decides, and imports nothing that acts.
PURE = "workers.dispatch."
SHARED_BY_STRATEGIES = {
    "base",
    "cma_constants",
    "descent",
    "ladder",
    "node_parts",
    "optimizers",
    "population",
    "ranges",
    "ranks",
    "restarts",
    "schedules",
    "sums",
}


def modules() -> dict[str, Path]:
    return {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in sorted(PACKAGE.rglob("*.py"))}


def room_of(module: str) -> str:
    return module.partition(".")[0]


def imports(path: Path) -> tuple[set[str], set[str]]:
    """The imports of a file: modules of the package, and top-level names of others except the standard library."""
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


@pytest.mark.parametrize("module", [name for name in modules() if name not in DOORS])
def test_a_module_imports_only_what_its_room_may(module):
    assert room_of(module) in ROOMS, "a new room needs a row in the table"
    rooms, packages = ROOMS[room_of(module)]
    own, others = imports(modules()[module])
    allowed = rooms | {room_of(module)}
    assert {name for name in own if name and not {name, room_of(name)} & allowed} == set()
    assert others - packages == set()


@pytest.mark.parametrize("module", DOORS)
def test_the_interfaces_import_only_what_they_use(module):
    own, others = imports(modules()[module])
    rooms, packages = DOORS[module]
    assert {room_of(name) for name in own if name} <= rooms
    assert others == packages


def test_imports_have_no_cycles_or_upward_arrows():
    between = {room: {room_of(each) for each in rooms} - {room} for room, (rooms, _) in ROOMS.items()}
    tuple(TopologicalSorter(between).static_order())
    everyone = modules()
    graph = {name: {each for each in imports(path)[0] if each in everyone} for name, path in everyone.items()}
    tuple(TopologicalSorter(graph).static_order())  # CycleError names the cycle


def test_the_table_has_no_room_that_no_longer_exists():
    assert set(ROOMS) == {room_of(module) for module in modules()} - set(DOORS)


@pytest.mark.parametrize("module", [name for name in modules() if name.startswith(PURE)])
def test_code_that_decides_imports_nothing_that_acts(module):
    own, others = imports(modules()[module])
    assert {name for name in own if not name.startswith(PURE)} <= {"errors"}
    assert others == set()


@pytest.mark.parametrize("module", [name for name in modules() if name.startswith("strategies.")])
def test_strategies_know_nothing_of_each_other(module):
    own = {name.partition(".")[2] for name in imports(modules()[module])[0] if name.startswith("strategies.")}
    assert module == "strategies.__init__" or own <= SHARED_BY_STRATEGIES


def test_numpy_s_random_numbers_ray_its_job_client_and_torch_are_each_used_in_one_place():
    naming = {"numpy.random": set(), "import ray": set(), "ray.job_submission": set(), "import torch": set()}
    for module, path in modules().items():
        text = path.read_text(encoding="utf-8")
        for words, users in naming.items():
            code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith(("#", '"')))
            if words in code or (words == "numpy.random" and "np.random" in code):
                users.add(module)
    assert {module.rpartition(".")[0] for module in naming.pop("import torch")} == {"networks.modules"}
    assert naming == {
        "numpy.random": {"randomness"},
        "import ray": {
            f"workers.ray.{each}" for each in ("cluster", "crew", "mail", "private", "sending", "serving", "worker")
        },
        "ray.job_submission": {"jobs.cluster"},
    }


BROWSER = sorted((PACKAGE / "reports" / "browser").iterdir())


@pytest.mark.parametrize("path", [*modules().values(), *BROWSER], ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_no_file_is_too_long(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 350
