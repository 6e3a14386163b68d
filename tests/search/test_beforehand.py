"""What is wrong whatever the data is refused before they are read."""

from pathlib import Path

import numpy as np
import pytest
from programs import SHORT, refused, succeeded

import distsearch
from distsearch.config import from_flags
from distsearch.errors import SettingError, UserError
from distsearch.search import beforehand
from distsearch.storage import Storage
from distsearch.trackers.tensorboard import TensorBoard

CASES = {
    "strategy": ({"strategy": "hill-clim"}, "did you mean 'hill-climb'"),
    "its settings": ({"strategy": "snes", "sigma": -1.0}, "settings.sigma: expected a number > 0"),
    "loss": ({"loss": "cross-entrop"}, "did you mean 'cross-entropy'"),
    "layers": ({"layers": ["cnv8x3"]}, "did you mean 'conv'"),
    "activation": ({"activation": ["rleu"]}, "did you mean 'relu'"),
    "precision": ({"precision": ["int9"]}, "did you mean 'int8'"),
    "bfloat16": ({"precision": ["bfloat16"]}, "bfloat16 is of a torch module's forward passes"),
    "device": ({"device": "cuda"}, "network.device: is of a torch module"),
    "start": ({"start": "hee:hee"}, "start: cannot load 'hee:hee'"),
    "metric": ({"metrics": ["acuracy"]}, "did you mean 'accuracy'"),
    "tracker": ({"track": "mlfow"}, "did you mean 'mlflow'"),
    "storage": ({"storage": "ftp://there/runs"}, "expected a folder, file://, s3:// or gs://"),
}


@pytest.mark.parametrize(("flags", "sentence"), CASES.values(), ids=CASES)
def test_a_setting_that_no_data_can_mend_is_refused(flags, sentence):
    with pytest.raises(SettingError, match=sentence):
        beforehand.check(from_flags({"data": "none.csv", **flags}), kept=False)


@pytest.mark.parametrize("strategy", ["auto", "snes"])
def test_what_may_fit_some_data_is_not(strategy, tmp_path):
    flags = {"data": "none.csv", "strategy": strategy, "metrics": ["f1", "gap(age)"], "runs": str(tmp_path / "a" / "b")}
    beforehand.check(from_flags(flags), kept=True)
    assert list(tmp_path.iterdir()) == []


OF_RUNS = {
    "name": ({"runs": ".", "name": "first"}, "already exists: choose another --name"),
    "folder": ({"runs": "file/a"}, "cannot write to the folder file/a .Not a directory."),
    "storage": ({"runs": ".", "storage": "."}, "expected a folder other than that of the runs"),
}


@pytest.mark.parametrize(("flags", "sentence"), OF_RUNS.values(), ids=OF_RUNS)
def test_places_that_no_run_can_have_are_refused_for_runs_alone(flags, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("first").mkdir()
    Path("file").touch()
    with pytest.raises(UserError, match=sentence):
        beforehand.check(from_flags(flags), kept=True)
    beforehand.check(from_flags(flags), kept=False)


@pytest.mark.parametrize(
    "command", [["run"], ["run", "--folds", "3"], ["run", "--live"], ["compare", "--strategies", "snes,cma-es"]]
)
def test_the_commands_do_so_before_they_read(command, tmp_path):
    assert "expected at most" in refused(*command, "--data", "none.csv", "--workers", "9999", cwd=tmp_path)


@pytest.fixture
def asked(monkeypatch):
    """What was asked whether it can be used, before and while a search writes to it."""
    heard = []
    for kind in (Storage, TensorBoard):
        name = "check" if kind is Storage else "ask"
        real = getattr(kind, name)
        monkeypatch.setattr(kind, name, lambda *given, kind=kind, real=real: (heard.append(kind), real(*given))[1])
    return heard


@pytest.mark.parametrize("kept", [{"name": "a"}, {}])
def test_places_are_asked_once(tmp_path, monkeypatch, asked, kept):
    monkeypatch.chdir(tmp_path)
    given = {"track": "tensorboard", "storage": tmp_path / "there", "rounds": 2, "workers": 0}
    distsearch.search([[0.0], [1.0]] * 9, [0, 1] * 9, **given, **kept)
    assert sorted(kind.__name__ for kind in asked) == ["Storage", "TensorBoard"]
    assert len(list((tmp_path / "there").iterdir())) == 1
    asked.clear()
    if kept:
        distsearch.resume("runs/a", [[0.0], [1.0]] * 9, [0, 1] * 9, rounds=1)
        assert asked == [TensorBoard]
    asked.clear()
    distsearch.minimize(lambda weights: float(weights @ weights), [1.0], **given)
    assert sorted(kind.__name__ for kind in asked) == ["Storage", "TensorBoard"]


COUNTING = """
from distsearch.search.observers import Observer
class Counting(Observer):
    def __init__(self, place): pass
    def check(self): print("asked", file=open("asked", "a"))
"""


def test_the_commands_ask_once(tmp_path):
    (tmp_path / "counting.py").write_text(COUNTING)
    succeeded("run", "--track", "counting:Counting", "--name", "a", *SHORT, cwd=tmp_path)
    assert (tmp_path / "asked").read_text() == "asked\n"
    succeeded("resume", "a", "--rounds", "1", cwd=tmp_path)
    assert (tmp_path / "asked").read_text() == "asked\n" * 2


def test_so_does_python():
    with pytest.raises(SettingError, match="did you mean 'relu'"):
        distsearch.search(np.full((3, 2), np.nan), [0, 1, 1], activation="rleu")
