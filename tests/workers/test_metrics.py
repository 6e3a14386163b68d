"""How a search goes, in the metrics of its cluster."""

import os
import re
import subprocess
import sys
import urllib.request

from processes import awaited

from distsearch.workers.metrics import GAUGES

from .searching import cluster

SEARCH = ("--data", "digits", "--layers", "16", "--name", "shown", "--seconds", "1000", "--population", "64")
OFTEN = {"metrics_report_interval_ms": 500}


def test_the_gauges_of_a_run_are_where_prometheus_reads_them(tmp_path):
    with cluster(_system_config=OFTEN) as nodes:
        url = f"http://127.0.0.1:{nodes.head_node.metrics_export_port}/metrics"

        def gauges() -> dict[str, float]:
            with urllib.request.urlopen(url, timeout=5) as answer:
                lines = answer.read().decode().splitlines()
            found = [re.fullmatch(r'ray_distsearch_(\w+)\{.*run="shown".*\} (\S+)', line) for line in lines]
            return {each[1]: float(each[2]) for each in found if each}

        search = subprocess.Popen(
            [sys.executable, "-m", "distsearch", "run", *SEARCH],
            cwd=tmp_path,
            env={**os.environ, "RAY_ADDRESS": nodes.address},
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            first = awaited(lambda: (found := gauges()).keys() == GAUGES.keys() and found)
            later = awaited(lambda: (found := gauges())["rounds"] > first["rounds"] and found)
        finally:
            search.terminate()
            said = search.communicate()[1]
    assert search.returncode == 130, said
    assert later["workers_alive"] == 1
    assert later["best_loss"] <= first["best_loss"] < 3
    assert later["candidates_per_second"] > 0
    assert later["shards_retried"] >= 0
