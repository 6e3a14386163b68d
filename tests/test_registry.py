"""Things chosen by name: built-in ones, and the user's own as module:attribute."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from programs import ran, succeeded
from waiting import PATIENCE

import distsearch
from distsearch.config import from_flags
from distsearch.errors import SettingError
from distsearch.objectives import metrics
from distsearch.objectives.losses import LOSSES, CrossEntropy
from distsearch.search import foreign_code
from distsearch.search.assembly import assemble
from distsearch.strategies import STRATEGIES

OWN = """
from distsearch.objectives.losses import MeanAbsoluteError

class Tripled(MeanAbsoluteError):
    def each(self, outputs, targets):
        return 3 * super().each(outputs, targets)

    def total(self, outputs, targets):
        return 3 * super().total(outputs, targets)

number = 3
"""


@pytest.fixture
def module(tmp_path, monkeypatch) -> str:
    """The name of a module that is a file in the current folder."""
    name = f"own_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{name}.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    return name


def test_a_class_in_a_local_file_is_found_by_module_and_name(module):
    plain = assemble(from_flags({"loss": "mean-absolute-error", "data": "iris", "workers": 0}))
    tripled = assemble(from_flags({"loss": f"{module}:Tripled", "data": "iris", "workers": 0}))
    weights = plain.plan.first.center
    assert tripled.objective.measure(weights).loss == pytest.approx(3 * plain.objective.measure(weights).loss)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("{module}:Tripld", "loss: cannot load '.*:Tripld' .AttributeError: module .* has no attribute 'Tripld'"),
        ("nowhere:Loss", "loss: cannot load 'nowhere:Loss' .ModuleNotFoundError: No module named 'nowhere'"),
        (
            "{module}:number",
            "loss .*:number: expected a subclass of distsearch.objectives.losses.Loss, or a function of .*, got 3",
        ),
        ("distsearch.objectives.losses:Loss", "expected a subclass of distsearch.objectives.losses.Loss"),
        ("cros-entropy", "unknown loss 'cros-entropy': did you mean 'cross-entropy'.*, or module:name for one of your"),
    ],
)
def test_unusable_names_are_reported(module, name, sentence):
    with pytest.raises(SettingError, match=sentence):
        LOSSES.find(name.format(module=module))


def test_built_in_names_are_found_without_loading_other_packages(monkeypatch):
    from distsearch import registry

    def refuse(plural):
        raise AssertionError

    monkeypatch.setattr(registry, "_offered", refuse)
    assert LOSSES.find("cross-entropy") is CrossEntropy


def test_the_origin_of_code_is_recorded_and_a_change_is_noticed(module, tmp_path):
    config = from_flags({"loss": f"{module}:Tripled", "data": "iris", "strategy": "hill-climb"})
    (origin,) = foreign_code.origins(config)
    assert (origin["kind"], origin["name"]) == ("loss", f"{module}:Tripled")
    assert foreign_code.changed_since((origin,), config) == ""
    assert foreign_code.origins(from_flags({})) == ()
    file = tmp_path / f"{module}.py"
    file.write_text(OWN.replace("3", "4"))
    assert f"the code of the loss {module}:Tripled has changed since" in foreign_code.changed_since((origin,), config)


def test_an_entry_point_that_fails_to_load_is_skipped_with_a_warning(monkeypatch, said):
    from importlib.metadata import EntryPoint

    from distsearch import registry

    broken = {"broken": EntryPoint("broken", "nowhere:Loss", "distsearch.losses")}
    monkeypatch.setattr(registry, "_offered", lambda plural: broken)
    assert "broken" not in dict(LOSSES.items())
    assert said == ["loss broken: cannot load 'nowhere:Loss' (ModuleNotFoundError: No module named 'nowhere'): skipped"]


def test_a_plug_in_with_the_name_of_a_built_in_thing_is_hidden_with_a_warning(monkeypatch, said):
    from importlib.metadata import EntryPoint

    from distsearch import registry

    hidden = {"mean-squared-error": EntryPoint("mean-squared-error", "elsewhere:Loss", "distsearch.losses")}
    monkeypatch.setattr(registry, "_offered", lambda plural: hidden)
    assert LOSSES.names().count("mean-squared-error") == LOSSES.names().count("cross-entropy") == 1
    assert said == [
        "loss mean-squared-error: the built-in one is used, not the plug-in of that name; that one is elsewhere:Loss"
    ]


def test_the_settings_of_a_custom_strategy_become_options(tmp_path):
    outside = Path(__file__).parent / "plugins" / "outside"
    name = "distsearch_outside.coordinate_search:CoordinateSearch"
    done = ran("run", f"--strategy={name}", "--shrink", "2", "--workers", "0", cwd=outside)
    assert done.returncode == 2
    assert "--shrink: expected a number < 1.0, got 2.0" in done.stderr


def test_the_guide_s_strategy_passes_the_checks_and_runs(tmp_path):
    guide = (Path(distsearch.__file__).parent / "guide" / "plugins.md").read_text(encoding="utf-8")
    program = guide.partition("## A strategy")[2].partition("```python\n")[2].partition("```")[0]
    (tmp_path / "mine.py").write_text(program)
    checks = (
        "from mine import MyStrategy; from distsearch import testing; [c(MyStrategy) for c in testing.STRATEGY_CHECKS]"
    )
    checked = ran(cwd=tmp_path, program=checks)
    assert checked.returncode == 0, checked.stderr
    command = [
        "run",
        "--strategy",
        "mine:MyStrategy",
        "--shrink",
        "0.5",
        "--rounds",
        "20",
        "--workers",
        "0",
        "--name",
        "a",
    ]
    succeeded(*command, cwd=tmp_path)
    succeeded("verify", "a", cwd=tmp_path)


@pytest.mark.parametrize(
    "name", ["CrossEntropyLoss", "crossentropy", "cross_entropy", "Cross Entropy", "bce", "log_loss"]
)
def test_a_name_is_understood_however_its_words_are_joined(name):
    assert LOSSES.named(name) == "cross-entropy"
    assert LOSSES.find(name) is CrossEntropy


def test_names_of_strategies_and_optimizers_from_elsewhere_are_understood():
    assert [STRATEGIES.named(name) for name in ("CMAES", "OpenAI-ES", "hillclimb", "nonsense")] == [
        *("cma-es", "evolution-strategy", "hill-climb", "nonsense"),
    ]
    with pytest.raises(SettingError, match="unknown strategy 'Adam': it needs gradients; node-perturbation and"):
        STRATEGIES.find("Adam")

    with pytest.raises(
        SettingError, match="unknown loss 'accuracy': a loss is made small: choose classification-error"
    ):
        LOSSES.find("accuracy")
    with pytest.raises(SettingError, match="unknown loss 'RMSE': choose mean-squared-error, which is lowest for"):
        LOSSES.find("RMSE")


def scored(value: float):
    return lambda truth, predicted: value


def test_different_metrics_of_one_name_are_numbered_and_the_same_one_keeps_its_name():
    low, high = scored(1.0), scored(2.0)
    names = metrics.names_of([low, high, "f1", low])
    assert names == [names[0], f"{names[0]}#2", "f1", names[0]]
    assert [metrics.find(name)([], []) for name in names[:2]] == [1.0, 2.0]


def test_threads_find_their_own_of_things_with_one_name():
    given = Barrier(2)

    def found(value: float) -> float:
        (name,) = metrics.names_of(scored(value))
        given.wait(timeout=PATIENCE)
        return metrics.find(name)([], [])

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(found, [1.0, 2.0])) == [1.0, 2.0]
