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


IN_ONE_PROCESS = """
import json, sys
from distsearch.__main__ import main
for words in json.load(sys.stdin):
    sys.argv[1:] = words
    try:
        main()
    except SystemExit as ended:
        assert not ended.code, words
"""
"""Runs commands one after the other: starting Python for each would take most of the time."""


@pytest.mark.slow
def test_every_command_of_the_page_on_pictures_does_what_it_says(tmp_path):
    """In their order, in one folder. The files are there in the end."""
    here = {"run": ["--workers", "0"], "compare": ["--workers", "0"]}
    commands = [[*words, *here.get(words[0], [])] for block in blocks("see.md") for words in block]
    done = ran(cwd=tmp_path, program=IN_ONE_PROCESS, input=json.dumps(commands))
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {
        *("runs", "loss.png", "boundary.gif", "report.html", "compared.html"),
    }
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["spiral"]
