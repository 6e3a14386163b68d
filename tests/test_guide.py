"""The commands of the guide's pages, typed as they stand there."""

import json
import re
import shlex
from pathlib import Path

import pytest
from programs import ran, succeeded

import distsearch

GUIDE = Path(distsearch.__file__).parent / "guide"


def blocks(page: str) -> list[list[list[str]]]:
    """The blocks of commands on a page, each command as its words after `distsearch`."""
    text = (GUIDE / page).read_text(encoding="utf-8")
    found = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return [[shlex.split(line)[1:] for line in block.splitlines()] for block in found]


@pytest.mark.slow
@pytest.mark.parametrize("commands", blocks("networks.md"), ids=lambda commands: commands[0][4])
def test_networks_without_gradients_learn_as_the_guide_says(tmp_path, commands):
    """Digits, a fifth of them never trained on: 85% are right by any of these networks."""
    for words in commands:
        learns = words[0] == "run"
        succeeded(*words, *(["--workers", "0", "--runs", "runs"] if learns else []), cwd=tmp_path)
    for run in (tmp_path / "runs").iterdir():
        result = json.loads(succeeded("show", run.name, "--json", cwd=tmp_path).stdout)["result"]
        assert result["test_accuracy"] > 0.85


@pytest.mark.slow
def test_the_page_on_python_runs_from_top_to_bottom(tmp_path):
    text = (GUIDE / "library.md").read_text(encoding="utf-8")
    program = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    claims = (
        "assert (again.summary.rounds, verdict.identical) == (100, True)\n"
        "assert better.loss <= result.loss\n"
        "assert noisy.loss < noisy.center_loss < 2\n"
    )
    done = ran(cwd=tmp_path, program=program + claims)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("noisy") == 1
