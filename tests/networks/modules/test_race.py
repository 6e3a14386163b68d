"""The modules of the race, `scripts/benchmark-peers modules`, as they are searched."""

import sys
from pathlib import Path

import pytest
from module_networks import made

FOLDER = Path(__file__).parents[3] / "scripts" / "benchmark_peers"


@pytest.fixture
def models(monkeypatch):
    """The race's models, importable while a test runs."""
    monkeypatch.syspath_prepend(str(FOLDER))
    from modules import models

    yield models
    for name in [each for each in sys.modules if each.split(".")[0] in ("modules", "nondiff")]:
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.parametrize("name", ["staircase", "attention", "mixture", "lstm", "transformer"])
def test_modules_of_the_race_are_moved_from_a_record(models, name):
    network = made(lambda: models.made(name), (28, 28, 1), 20 if name == "mixture" else 10)
    assert network._recorded
    assert network.node_layers[0].nodes in (16, 128)
