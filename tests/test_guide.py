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


def test_runs_are_tracked_as_the_guide_says(tmp_path):
    [commands] = blocks("tracking.md")
    for words in commands:
        succeeded(*words, *(["--runs", "runs"] if words[0] == "run" else []), "--workers", "0", cwd=tmp_path)
    assert len(list((tmp_path / "tensorboard" / "tracked").glob("events.*"))) == 2
    assert len(list((tmp_path / "mlruns").glob("*/*/metrics/best_loss"))) == 1


def test_models_are_exported_as_the_guide_says(tmp_path):
    [commands] = blocks("export.md")
    for words in commands:
        succeeded(*words, *(["--workers", "0"] if words[0] == "run" else []), cwd=tmp_path)
    [program] = re.findall(r"```python\n(.*?)```", (GUIDE / "export.md").read_text(encoding="utf-8"), re.DOTALL)
    done = ran(program=program, cwd=tmp_path)
    assert done.stderr == ""
    assert done.stdout.split("\n")[0].startswith("['setosa' 'virginica'] [[")
    assert done.stdout.splitlines()[-1] == "0"


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
