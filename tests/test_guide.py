"""The commands and the Python of the README and the guide, run as they stand there.

A page is run from its top to its end, in one folder. A comment above a block, <!-- run by … -->, says what runs it
instead.
"""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from programs import ran, succeeded

import distsearch

GUIDE = Path(distsearch.__file__).parent / "guide"
ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"(<!-- run by [^>]*-->\n)?```(sh|python)\n(.*?)```", re.DOTALL)
QUICK = ("--workers", "0", "--rounds", "12")  # the shape of a command is what is tested; what it learns is elsewhere
LEARNING = ["networks.md"]  # pages whose networks are trained as long as they say


def blocks(page: Path, language: str) -> list[str]:
    """The blocks of a page that are run here."""
    return [
        text for elsewhere, kind, text in BLOCK.findall(page.read_text("utf-8")) if kind == language and not elsewhere
    ]


def commands(page: Path) -> list[list[str]]:
    """The commands of a page, each as its words."""
    lines = "".join(blocks(page, "sh")).splitlines()
    return [words for words in (shlex.split(line, comments=True) for line in lines) if words]


PAGES = [ROOT / "README.md", *sorted(page for page in GUIDE.glob("*.md") if page.name not in LEARNING)]


@pytest.fixture
def folder(tmp_path):
    """A folder with the files that the pages speak of."""
    rows = np.random.default_rng(0).normal(size=(60, 3)).round(3)
    names = np.where(rows[:, 0] > 0, "yes", "no")
    table = [",".join([*map(str, row), name]) for row, name in zip(rows.tolist(), names, strict=True)]
    (tmp_path / "my.csv").write_text("\n".join(["age,height,weight,label", *table]))
    (tmp_path / "new.csv").write_text("\n".join(["age,height,weight", *(line.rpartition(",")[0] for line in table)]))
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=lambda page: page.stem)
def test_the_commands_of_a_page_run(folder, page):
    (folder / "mine.py").write_text("\n".join(blocks(page, "python")))
    for words in commands(page):
        assert words[0] in ("distsearch", "./scripts/distsearch"), f"{page.name}: nobody runs {shlex.join(words)}"
        arguments = words[1:]
        if ">" in arguments:
            *arguments, _, file = arguments
            (folder / file).write_text(succeeded(*arguments, cwd=folder).stdout)
            continue
        succeeded(*arguments, *(QUICK if arguments[0] == "run" else ()), cwd=folder)


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.stem)
def test_the_python_of_a_page_runs(folder, page):
    done = ran(program="\n".join(blocks(page, "python")), cwd=folder)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_links_of_a_page_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
        assert link.startswith("https://") or (page.parent / link).exists(), link


def learnt() -> list[list[list[str]]]:
    """The blocks of commands on networks, each command as its words after `distsearch`."""
    return [[shlex.split(line)[1:] for line in block.splitlines()] for block in blocks(GUIDE / "networks.md", "sh")]


@pytest.mark.slow
@pytest.mark.parametrize("commands", learnt(), ids=lambda commands: commands[0][4])
def test_networks_without_gradients_learn_as_the_guide_says(tmp_path, commands):
    """Digits, a fifth of them never trained on: 85% are right by any of these networks."""
    for words in commands:
        learns = words[0] == "run"
        succeeded(*words, *(["--workers", "0", "--runs", "runs"] if learns else []), cwd=tmp_path)
    for run in (tmp_path / "runs").iterdir():
        result = json.loads(succeeded("show", run.name, "--json", cwd=tmp_path).stdout)["result"]
        assert result["test_accuracy"] > 0.85
