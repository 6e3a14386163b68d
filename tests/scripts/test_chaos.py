"""The script that kills a search's processes at random, run briefly: nothing differs in the end."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from waiting import LONGEST_LIFE

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parents[2] / "scripts" / "chaos.py"


def test_a_search_under_random_kills_ends_with_the_bytes_of_an_undisturbed_one():
    done = subprocess.run(
        [sys.executable, SCRIPT, "--seconds", "10", "--seed", "1"],
        capture_output=True,
        text=True,
        timeout=LONGEST_LIFE,
        env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0"},
        check=False,
    )
    lines = done.stdout.splitlines()
    assert (done.returncode, lines[-1:]) == (0, ["identical"]), done.stdout + done.stderr
    assert any(line.startswith("killed worker") for line in lines)
    assert any(line.startswith("killed the driver") for line in lines)
    assert any(line.startswith("resumed at round") for line in lines)
