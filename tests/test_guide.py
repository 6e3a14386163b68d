"""The commands and the Python code of the README and the guide, run as written.

A page is run from its top to its end, in one folder. A comment above a block, <!-- run by … -->, says what runs it
instead.
"""

import json
import re
import shlex
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from clusters import free_ports
from programs import ran, succeeded
from searches import search

import distsearch
from distsearch.cli.story import CHAPTER

GUIDE = Path(distsearch.__file__).parent / "guide"
ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"(<!-- run by [^>]*-->\n)?```(sh|python)\n(.*?)```", re.DOTALL)
QUICK = (
    "--workers",
    "0",
    "--rounds",
    "12",
)  # only the form of a command is tested here, not what it learns
BELOW = {
    "networks",
    "fine-tuning",
    "gpu",
    "tracking",
    "export",
    "tables",
    "estimators",
    "see",
    "library",
    "metrics",
    "modules",
}  # pages with tests of their own


def texts(page: Path, language: str) -> list[str]:
    """The code blocks of a page that are run here."""
    return [
        text for elsewhere, kind, text in BLOCK.findall(page.read_text("utf-8")) if kind == language and not elsewhere
    ]


def blocks(page: str) -> list[list[list[str]]]:
    """The blocks of commands on a guide page, each command as its words after `distsearch`."""
    return [[shlex.split(line)[1:] for line in block.splitlines()] for block in texts(GUIDE / page, "sh")]


def commands(page: Path) -> list[list[str]]:
    """The commands of a page, each as its words."""
    lines = "".join(texts(page, "sh")).splitlines()
    return [words for words in (shlex.split(line, comments=True) for line in lines) if words]


PAGES = [ROOT / "README.md", *sorted(page for page in GUIDE.glob("*.md") if page.stem not in BELOW)]


@pytest.fixture
def folder(tmp_path):
    """A folder with the files that the pages mention."""
    rows = np.random.default_rng(0).normal(size=(60, 3)).round(3)
    names = np.where(rows[:, 0] > 0, "yes", "no")
    table = [",".join([*map(str, row), name]) for row, name in zip(rows.tolist(), names, strict=True)]
    (tmp_path / "my.csv").write_text("\n".join(["age,height,weight,label", *table]))
    (tmp_path / "new.csv").write_text("\n".join(["age,height,weight", *(line.rpartition(",")[0] for line in table)]))
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=lambda page: page.stem)
def test_the_commands_of_a_page_run(folder, page):
    (folder / "mine.py").write_text("\n".join(texts(page, "python")))
    for words in commands(page):
        assert words[0] in ("distsearch", "./scripts/distsearch"), f"{page.name}: nobody runs {shlex.join(words)}"
        arguments = words[1:]
        if ">" in arguments:
            *arguments, _, file = arguments
            (folder / file).write_text(succeeded(*arguments, cwd=folder).stdout)
            continue
        succeeded(*arguments, *(QUICK if arguments[0] == "run" else ()), cwd=folder)


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if texts(page, "python")], ids=lambda page: page.stem)
def test_the_python_of_a_page_runs(folder, page):
    done = ran(program="\n".join(texts(page, "python")), cwd=folder)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_links_of_a_page_are_valid(page):
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
        assert link.startswith("https://") or (page.parent / link).exists(), link


def test_the_searches_of_the_chapter_end_as_its_page_says(tmp_path):
    spiral = {"data": "spiral", "layers": [64], "rounds": 300}
    searches = {
        "loss is 0.93": {"strategy": "random-search", "population": 2, "rounds": 200},
        "loss is 0.41, and 93%": {**CHAPTER, "rounds": 300},
        "loss of 0.10 and 96%": {"rounds": 300},
        "first is at 46%": spiral,
        "second at 83%": {**spiral, "strategy": "node-perturbation"},
    }
    page = (GUIDE / "chapter.md").read_text("utf-8").replace("\n", " ")
    for words, flags in searches.items():
        assert words in page
        _, result = search(tmp_path, **flags)
        for figure in re.findall(r"0\.\d+", words):
            assert result.loss == pytest.approx(float(figure), abs=0.006)
        for share in re.findall(r"\d+(?=%)", words):
            assert 100 * result.accuracy == pytest.approx(int(share), abs=1.5)


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
    program, _ = texts(GUIDE / "export.md", "python")
    done = ran(program=program, cwd=tmp_path)
    assert done.stderr == ""
    assert done.stdout.split("\n")[0].startswith("['setosa' 'virginica'] [[")
    assert done.stdout.splitlines()[-1] == "0"


LOOK_AROUND = f"""
    import os, sys
    sys.path.insert(0, {str(Path(__file__).parent)!r})
    from processes import alive, descendants
    from sockets import listening
    started = descendants(os.getpid())
    print(all(address.is_loopback for address, _ in listening([os.getpid(), *(each.pid for each in started)])))
print(len(started) > 3, alive(started), len(descendants(os.getpid())))
"""
"""Below code that serves: whether all of its sockets are on loopback, and what is left of its processes."""


@pytest.mark.slow
def test_a_model_is_served_on_loopback_alone_as_the_guide_says(tmp_path):
    succeeded(*blocks("export.md")[0][0], "--workers", "0", cwd=tmp_path)
    _, program = texts(GUIDE / "export.md", "python")
    (port,) = free_ports(1)
    done = ran(program=program.replace("8000", str(port)) + LOOK_AROUND, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["['setosa', 'virginica']", "True", "True [] 0"]


@pytest.mark.slow
@pytest.mark.parametrize("commands", blocks("networks.md"), ids=lambda commands: commands[0][4])
def test_networks_without_gradients_learn_as_the_guide_says(tmp_path, commands):
    """Digits, a fifth of them held out: each of these networks gets at least 85% of them right."""
    for words in commands:
        learns = words[0] == "run"
        succeeded(*words, *(["--workers", "0", "--runs", "runs"] if learns else []), cwd=tmp_path)
    for run in (tmp_path / "runs").iterdir():
        result = json.loads(succeeded("show", run.name, "--json", cwd=tmp_path).stdout)["result"]
        assert result["test_accuracy"] > 0.85


CUSTOMERS = "customer,age,city,since,notes,left\n" + "".join(
    f"{number},{20 + 13 * number % 50 if number % 9 else ''},{('Rome', 'Oslo', 'Lima')[number % 3]},"
    f"{2000 + number % 20}-0{1 + number % 9}-15,note {number},{'yes' if 13 * number % 50 > 25 else 'no'}\n"
    for number in range(200)
)


def offers() -> str:
    """A table in which the north is likelier to take an offer, and what that earns."""
    drawn = np.random.default_rng(0).normal(size=(400, 4)).round(3)
    taken = drawn[:, 0] + drawn[:, 1] + 0.5 * drawn[:, 3] > 0.5
    north = drawn[:, 0] + drawn[:, 2] > 0
    rows = [
        f"{a},{b},{'north' if there else 'south'},0,{20 if yes else -10},{'yes' if yes else 'no'}\n"
        for (a, b, _, _), yes, there in zip(drawn.tolist(), taken, north, strict=True)
    ]
    return "age,spent,region,profit_no,profit_yes,taken\n" + "".join(rows)


def test_metrics_are_trained_on_as_the_guide_says(tmp_path):
    page = GUIDE / "metrics.md"
    (tmp_path / "costs.csv").write_text(re.findall(r"```text\n(.*?)```", page.read_text("utf-8"), re.DOTALL)[0])
    rows = [f"{number / 100},{number / 100 + number % 10}\n" for number in range(200)]
    (tmp_path / "prices.csv").write_text("age,price\n" + "".join(rows))
    (tmp_path / "offers.csv").write_text(offers())
    for words in chain(*blocks("metrics.md")):
        succeeded(*words, *(["--workers", "0"] if words[0] == "run" else []), cwd=tmp_path)
    results = {
        run.name: json.loads(succeeded("show", run.name, "--json", cwd=tmp_path).stdout)["result"]
        for run in (tmp_path / "runs").iterdir()
    }
    assert results["f1"]["metrics"]["test-f1"] > 0.9
    assert results["auc"]["loss"] < 0.02
    assert results["costs"]["loss"] < results["costs"]["baseline"] / 2
    assert 0.8 < results["high"]["metrics"]["share-below"] < 1
    assert results["huber"]["loss"] < results["huber"]["baseline"]
    assert results["profit"]["loss"] < results["profit"]["baseline"] < 0
    held = {(each["constraint"], each["examples"]): each["holds"] for each in results["held"]["constraints"]}
    assert len(held) == 4
    assert held["recall>=0.8", "train"]
    assert held["gap(region)<=0.2", "train"]
    done = ran(program="\n".join(texts(page, "python")), cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_your_own_table_is_learnt_as_the_guide_says(tmp_path):
    (tmp_path / "customers.csv").write_text(CUSTOMERS)
    (tmp_path / "new-customers.csv").write_text("since,city,age,customer\n2012-01-15,Rome,,x1\n2013-01-15,Bern,60,x2\n")
    (commands,) = blocks("tables.md")
    said = [
        succeeded(*words, *(["--workers", "0"] if words[0] == "run" else []), cwd=tmp_path).stdout for words in commands
    ]
    evaluated = said[1].splitlines()
    assert evaluated[0].split()[-2:] == ["f1", "balanced-accuracy"]
    assert all(float(line.split()[-1]) > 0.9 for line in evaluated[1:])
    assert (tmp_path / "predicted.csv").read_text().splitlines()[0] == "customer,left,probability"
    assert [json.loads(line)["city"] for line in said[3].splitlines()] == ["Rome", "Bern"]
    assert (tmp_path / "joined.csv").read_text().startswith("since,city,age,customer,left,probability\n")


@pytest.mark.slow
def test_estimators_work_as_the_guide_says(tmp_path, ray_with_three_cpus):
    for words in chain(*blocks("estimators.md")):
        succeeded(*words, "--workers", "0", cwd=tmp_path)
    names: dict[str, object] = {}
    for program in texts(GUIDE / "estimators.md", "python"):
        exec(program, names)  # noqa: S102  (our own page)
    assert names["classifier"].score(names["X_test"], names["y_test"]) > 0.95
    assert names["steps"].score(names["X_test"], names["y_test"]) > 0.9


IN_ONE_PROCESS = """
import sys
from distsearch.__main__ import main
for words in {commands}:
    sys.argv[1:] = words
    try:
        main()
    except SystemExit as ended:
        assert not ended.code, words
"""
"""Runs commands in one process: to import Matplotlib for each would take most of the time."""


@pytest.mark.slow
def test_every_command_of_the_page_on_plots_does_what_it_says(tmp_path):
    """In order, in one folder. In the end the files exist."""
    here = {"run": ["--workers", "0"], "compare": ["--workers", "0"]}
    commands = [[*words, *here.get(words[0], [])] for block in blocks("see.md") for words in block]
    done = ran(cwd=tmp_path, program=IN_ONE_PROCESS.format(commands=commands))
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {
        *("runs", "loss.png", "boundary.gif", "report.html", "compared.html"),
    }
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["spiral"]


@pytest.mark.slow
def test_the_page_on_python_runs_from_top_to_bottom(tmp_path):
    program = "\n".join(texts(GUIDE / "library.md", "python"))
    claims = (
        "assert (again.summary.rounds, verdict.identical) == (100, True)\n"
        "assert better.loss <= result.loss\n"
        "assert noisy.loss < noisy.center_loss < 2\n"
    )
    done = ran(cwd=tmp_path, program=program + claims)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("noisy") == 1
