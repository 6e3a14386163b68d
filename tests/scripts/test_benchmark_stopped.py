"""However a comparison is ended, none of the searches that it has started goes on."""

import os
import signal
import sys
from pathlib import Path

import pytest
from processes import alive, descendants
from waiting import LONGEST_LIFE, PATIENCE, awaited, running

FOLDER = Path(__file__).parents[2] / "scripts" / "benchmark_peers"
SEARCH = f"""
import subprocess, sys
from apart import end_with_parent
end_with_parent(sys.argv[2])
subprocess.run([sys.executable, "-c", "import time; time.sleep({LONGEST_LIFE})"])
"""
SIDE_BY_SIDE = f"""
from concurrent.futures import ThreadPoolExecutor
from apart import answer, end_when_interrupted
end_when_interrupted()
with ThreadPoolExecutor(2) as pool:
    list(pool.map(lambda number: answer("search_for_ever", {{}}, {LONGEST_LIFE}, {{}}), range(2)))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_comparison_leaves_no_process_and_no_file(tmp_path, number):
    (tmp_path / "search_for_ever.py").write_text(SEARCH)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environment = {**os.environ, "PYTHONPATH": f"{FOLDER}{os.pathsep}{tmp_path}", "TMPDIR": str(temporary)}
    with running([sys.executable, "-c", SIDE_BY_SIDE], env=environment) as process:
        family = awaited("two searches with a process each", lambda: _four(descendants(process.pid)))
        process.send_signal(number)
        assert process.wait(PATIENCE) == -number
        awaited("all of their processes to end", lambda: not alive(family))
        assert not list(temporary.iterdir())


def _four(family):
    """The processes, once those that the searches start have started too."""
    return family if sum("time.sleep" in each.command for each in family) == 2 else []


def test_every_search_of_a_comparison_ends_with_it(tmp_path):
    """The script itself, while its first search runs."""
    command = [sys.executable, FOLDER, "chapter", "--only", "distsearch", "--output", tmp_path / "out"]
    environment = {**os.environ, "PYTHONPATH": f"{FOLDER.parent}{os.pathsep}{FOLDER}", "TMPDIR": str(tmp_path)}
    with running(command, env=environment) as process:
        family = awaited("a search", lambda: [each for each in descendants(process.pid) if "-m one" in each.command])
        process.terminate()
        assert process.wait(PATIENCE) == -signal.SIGTERM
        awaited("it to end", lambda: not alive(family))
