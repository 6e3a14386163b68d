"""The commands of the guide's pages, typed as they stand there."""

import json
import re
import shlex
from itertools import chain
from pathlib import Path

import pytest
from programs import succeeded

import distsearch

GUIDE = Path(distsearch.__file__).parent / "guide"


def texts(page: str, language: str) -> list[str]:
    """The blocks of a language on a page."""
    return re.findall(rf"```{language}\n(.*?)```", (GUIDE / page).read_text(encoding="utf-8"), re.DOTALL)


def blocks(page: str) -> list[list[list[str]]]:
    """The blocks of commands on a page, each command as its words after `distsearch`."""
    found = texts(page, "sh")
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
def test_estimators_do_what_the_guide_says(tmp_path, ray_with_three_cpus):
    for words in chain(*blocks("estimators.md")):
        succeeded(*words, "--workers", "0", cwd=tmp_path)
    names: dict[str, object] = {}
    for program in texts("estimators.md", "python"):
        exec(program, names)  # noqa: S102  (our own page)
    assert names["classifier"].score(names["X_test"], names["y_test"]) > 0.95
    assert names["steps"].score(names["X_test"], names["y_test"]) > 0.9
