import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "simulate_scaling.py"


def test_the_table_is_labelled_as_simulated_and_has_a_line_for_each_power_of_two() -> None:
    command = [sys.executable, str(SCRIPT), "candidates", "--workers", "8", "--units", "4096", "--markdown"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    title, _, head, _, *lines = done.stdout.strip().splitlines()
    assert title.startswith("Simulated, not measured")
    assert head.startswith("| workers | round | speed-up | idle |")
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert [row[0] for row in cells] == ["1", "2", "4", "8"]
    speedups = [float(row[2]) for row in cells]
    assert speedups[0] == 1.0
    assert all(0.8 * 2**power < speedup <= 2**power for power, speedup in enumerate(speedups))
    assert {row[-1] for row in cells} <= {"32.8 kB", "32.9 kB", "33.0 kB"}  # eight bytes per candidate, few sent twice


def test_each_kind_of_round_has_its_own_table() -> None:
    command = [sys.executable, str(SCRIPT), "function", "nodes-1024", "nodes-128", "--workers", "2", "--markdown"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    titles = [line for line in done.stdout.splitlines() if line.startswith("Simulated, not measured")]
    assert [title.partition(" ms each")[0].rpartition(",")[0].split("rounds of ")[1] for title in titles] == [
        "4,096 candidates of a function of 0.1 s",
        "64 units of node-perturbation, 784-1024-10",
        "16 units of node-perturbation, 784-128-10",
    ]
