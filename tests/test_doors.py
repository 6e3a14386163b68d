"""Every setting is called at each door what it is called there: by its flag, its keyword, or its place in a file."""

import re
import subprocess
import sys

import numpy as np
import pytest

import distsearch
from distsearch.api.wording import in_python
from distsearch.cli.wording import in_flags
from distsearch.config import from_flags, from_sections, options
from distsearch.errors import SettingError
from distsearch.settings import declarations
from distsearch.strategies import STRATEGIES, settings_of

DECLARED = {(section, setting.name): setting for section, setting in options()}
OWN = [(name, setting) for name, kind in STRATEGIES.own.items() for setting in declarations(kind.Settings)]
WRONG = object()  # fits no setting


def refused(function, *arguments, **keywords) -> str:
    with pytest.raises(SettingError) as caught:
        function(*arguments, **keywords)
    return str(caught.value)


@pytest.mark.parametrize(("section", "name"), DECLARED)
def test_a_setting_is_called_by_its_flag_its_keyword_or_its_place(section, name):
    setting = DECLARED[section, name]
    by_file = refused(from_sections, {section: {name: WRONG}})
    assert by_file.startswith(f"{section}.{name}: expected")
    assert by_file == refused(from_flags, {setting.flag: WRONG}) == refused(from_flags, {setting.keyword: WRONG})
    flag, rest = f"--{setting.flag}", by_file.partition(": ")[2]
    assert in_flags(by_file, ["run", flag, "x"]) == in_flags(by_file, ["run"]) == f"{flag}: {rest}"
    assert in_flags(by_file, ["run", "--config", "a.toml"]) == by_file
    assert in_flags(by_file, ["run", "--config", "a.toml", f"{flag}=x"]) == f"{flag}: {rest}"
    assert in_python(by_file).startswith(f"{setting.keyword}: expected")
    assert in_python(f"give {flag} or none") == f"give {setting.keyword}{'=True' * (setting.type is bool)} or none"


@pytest.mark.parametrize(("strategy", "setting"), OWN, ids=lambda part: getattr(part, "name", part))
def test_so_is_a_strategy_s_own(strategy, setting):
    by_file = refused(settings_of, strategy, {setting.name: WRONG})
    rest = by_file.removeprefix(f"settings.{setting.name}: expected")
    assert in_flags(by_file, ["run"]) == f"--{setting.flag}: expected{rest}"
    assert in_python(by_file) == f"{setting.name}: expected{rest}"


def test_a_flag_under_another_name_is_ours():
    assert in_flags("settings.rate: no", ["run", "--config", "a.toml", "--lr=-1"]) == "--rate: no"


def test_a_file_s_name_or_another_word_before_a_colon_is_no_setting():
    for sentence in ("data.csv: line 3", "my/stop.rounds: no", "strategy.name.rounds: no", "a-stop.rounds: no"):
        assert in_python(sentence) == in_flags(sentence, ["run"]) == sentence


@pytest.mark.parametrize("name", ["rounds", "seconds", "max_evaluations", "seed", "target_loss", "population", "sigma"])
def test_functions_answer_with_the_keyword(name):
    words = rf"^{name}: expected "
    start, wrong = np.zeros(3), {name: "nonsense"}
    for call in (
        lambda: distsearch.minimize(np.sum, start, strategy="snes", workers=0, **wrong),
        lambda: distsearch.search(np.eye(4), [0, 1, 0, 1], strategy="snes", workers=0, **wrong),
        *((lambda: distsearch.Optimizer("snes", start, **wrong),) if name != "seconds" else ()),
    ):
        assert re.search(words, refused(call))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--evaluations", "0"], "--evaluations: expected a whole number >= 1, got 0"),
        (["--strategy", "evolution-strategy", "--sigma=-1"], "--sigma: expected a number > 0.0, got -1.0"),
        (["--config", "a.toml"], "settings.sigma: expected a number > 0.0, got -2"),
        (["--config", "a.toml", "--sigma=-1"], "--sigma: expected a number > 0.0, got -1.0"),
    ],
)
def test_the_command_line_answers_with_flags_and_a_file_with_its_places(tmp_path, arguments, words):
    (tmp_path / "a.toml").write_text('[strategy]\nname = "evolution-strategy"\n[settings]\nsigma = -2\n')
    command = [sys.executable, "-m", "distsearch", "run", "--data", "vertical", "--workers", "0", *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, words in done.stderr.replace("\n", " ")) == (2, True), done.stderr


def test_both_names_of_one_setting_are_one_too_many():
    with pytest.raises(SettingError, match="^max_evaluations: is the same setting as evaluations"):
        distsearch.minimize(np.sum, np.zeros(3), evaluations=5, max_evaluations=6)
    assert distsearch.minimize(np.sum, np.zeros(3), evaluations=5, workers=0).summary.reason == "evaluations"
