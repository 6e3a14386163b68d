"""The progress of a search in the metrics of its cluster."""

import os
import re
import urllib.request

import pytest
from programs import started
from waiting import PATIENCE, awaited

from distsearch.runs.history import RoundRecord
from distsearch.workers.ray import metrics
from distsearch.workers.ray.metrics import GAUGES, Gauges

from ..searching import cluster

SEARCH = (
    "--data",
    "digits",
    "--layers",
    "16",
    "--name",
    "shown",
    "--rounds",
    "1000000000",
    "--strategy",
    "hill-climb",
    "--population",
    "64",
)
OFTEN = {"metrics_report_interval_ms": 500}


class NotedGauge:
    """Records what it is set to."""

    noted: list[tuple[str, float]]

    def __init__(self, name, description, tag_keys):
        self._name = name

    def set_default_tags(self, tags):
        assert tags == {"run": "shown"}

    def set(self, value):
        self.noted.append((self._name.removeprefix("distsearch_"), value))


class Crew:
    count, retried = 3, 2


def row(number: int, passes: float, seconds: float, best_loss: float) -> RoundRecord:
    return RoundRecord(number, 7, seconds, best_loss, best_loss, accepted=True, sigma=0.1, passes=passes)


def test_the_gauges_are_set_at_most_once_a_second(monkeypatch):
    monkeypatch.setattr(metrics, "Gauge", NotedGauge)
    monkeypatch.setattr(NotedGauge, "noted", [], raising=False)
    gauges = Gauges("shown", Crew())
    for each in (row(0, 10, 0.9, 4.0), row(1, 30, 2.0, 3.0), row(2, 40, 2.9, 2.0), row(3, 90, 4.0, 1.0)):
        gauges.show(each)
    names = ("best_loss", "rounds", "passes_per_second", "workers_alive", "shards_retried")
    expected = [(3.0, 2, 15.0, 3, 2), (1.0, 4, 30.0, 3, 2)]
    assert NotedGauge.noted == [pair for values in expected for pair in zip(names, values, strict=True)]


@pytest.mark.slow
def test_prometheus_can_read_the_gauges_of_a_run(tmp_path):
    with cluster(_system_config=OFTEN) as nodes:
        url = f"http://127.0.0.1:{nodes.head_node.metrics_export_port}/metrics"

        def gauges() -> dict[str, float]:
            with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
                lines = answer.read().decode().splitlines()
            found = [re.fullmatch(r'ray_distsearch_(\w+)\{.*run="shown".*\} (\S+)', line) for line in lines]
            return {each[1]: float(each[2]) for each in found if each}

        with started("run", *SEARCH, cwd=tmp_path, environment={**os.environ, "RAY_ADDRESS": nodes.address}) as search:
            first = awaited("all gauges", lambda: (found := gauges()).keys() == GAUGES.keys() and found)
            later = awaited("more rounds", lambda: (found := gauges())["rounds"] > first["rounds"] and found)
            search.terminate()
            said = search.communicate(timeout=PATIENCE)[1]
    assert search.returncode == 130, said
    assert later["workers_alive"] == 1
    assert later["best_loss"] <= first["best_loss"] < 3
    assert later["passes_per_second"] > 0
    assert later["shards_retried"] >= 0
