"""The commands of the guide's pages, typed as they stand there."""

import json
import re
import shlex
from itertools import chain
from pathlib import Path

import pytest
from programs import ran, succeeded

import distsearch

GUIDE = Path(distsearch.__file__).parent / "guide"


def texts(page: str, language: str) -> list[str]:
    """The blocks of a language on a page."""
    return re.findall(rf"```{language}\n(.*?)```", (GUIDE / page).read_text(encoding="utf-8"), re.DOTALL)


def blocks(page: str) -> list[list[list[str]]]:
    """The blocks of commands on a page, each command as its words after `distsearch`."""
    found = texts(page, "sh")
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
def test_the_guide_s_module_learns_and_comes_out_again(tmp_path):
    code = re.findall(r"```python\n(.*?)```", (GUIDE / "modules.md").read_text(encoding="utf-8"), re.DOTALL)[0]
    (tmp_path / "mine.py").write_text(code)
    (commands,) = blocks("modules.md")
    for words in commands:
        succeeded(*words, *(["--workers", "0"] if words[0] == "run" else []), cwd=tmp_path)
    result = json.loads(succeeded("show", "choice", "--json", cwd=tmp_path).stdout)["result"]
    assert result["test_accuracy"] > 0.85


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


CUSTOMERS = "customer,age,city,since,notes,left\n" + "".join(
    f"{number},{20 + 13 * number % 50 if number % 9 else ''},{('Rome', 'Oslo', 'Lima')[number % 3]},"
    f"{2000 + number % 20}-0{1 + number % 9}-15,note {number},{'yes' if 13 * number % 50 > 25 else 'no'}\n"
    for number in range(200)
)


@pytest.mark.slow
def test_a_table_of_one_s_own_goes_the_way_the_guide_says(tmp_path):
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
def test_estimators_do_what_the_guide_says(tmp_path, ray_with_three_cpus):
    for words in chain(*blocks("estimators.md")):
        succeeded(*words, "--workers", "0", cwd=tmp_path)
    names: dict[str, object] = {}
    for program in texts("estimators.md", "python"):
        exec(program, names)  # noqa: S102  (our own page)
    assert names["classifier"].score(names["X_test"], names["y_test"]) > 0.95
    assert names["steps"].score(names["X_test"], names["y_test"]) > 0.9


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
