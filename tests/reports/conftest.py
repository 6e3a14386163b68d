from pathlib import Path

import numpy as np
import pytest

from distsearch.config import from_flags
from distsearch.reports.figures import Boundary
from distsearch.reports.subjects import Subject
from distsearch.runs.directory import StoredRun
from distsearch.search import session
from distsearch.search.assembly import assemble

RUNS = {
    "climb0": {"data": "spiral", "layers": [8], "rounds": 30},
    "climb1": {"data": "spiral", "layers": [8], "rounds": 30, "seed": 1},
    "nodes": {"data": "iris", "scale": True, "test-share": 0.3, "strategy": "node-perturbation", "rounds": 20},
    "pair": {"data": "pair.csv", "target": "price,area", "strategy": "node-perturbation", "rounds": 60},
    "price": {"data": "price.csv", "scale": True, "loss": "mean-squared-error", "rounds": 60},
}


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """A folder with a table whose price depends on the rooms alone, one with two targets, and runs in runs/."""
    path = tmp_path_factory.mktemp("pictures")
    lines = [f"{x % 7},{x * 37 % 11},{x % 7}" for x in range(60)]
    (path / "price.csv").write_text("\n".join(["rooms,noise,price", *lines]))
    lines = [f"{x % 7},{x % 7},{1000 * (x * 37 % 11)},{x * 37 % 11}" for x in range(60)]
    (path / "pair.csv").write_text("\n".join(["rooms,price,area,width", *lines]))
    for name, flags in RUNS.items():
        data = str(path / flags["data"]) if flags["data"].endswith(".csv") else flags["data"]
        given = {**flags, "data": data, "name": name, "runs": str(path / "runs"), "workers": 0}
        session.run(assemble(from_flags(given)))
    return path


@pytest.fixture(scope="session")
def subjects(folder) -> dict[str, Subject]:
    return {name: Subject(StoredRun(folder / "runs" / name)) for name in RUNS}


@pytest.fixture
def thirty_classes() -> Boundary:
    """A plane of thirty strips, an example in each, with an axis of a very long name."""
    count = 30
    places, classes = np.linspace(0, 1, count), np.arange(count) * 1.0
    strips, names = np.tile(classes, (count, 1)), tuple(f"class {number}" for number in range(count))
    points = np.stack([places, places], axis=1)
    return Boundary("t", "a" * 90, "b", places, places, strips, np.ones((count, count)), points, classes, names)
