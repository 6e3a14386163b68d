"""Searches for some of a module's parameters: the others stay what they are, wherever the run is taken up again."""

import json

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from safetensors.torch import save_file
from searches import contents, resume, search
from torch import nn
from torch_modules import Stack

import distsearch
from distsearch.cli.app import application
from distsearch.config import from_flags
from distsearch.data import datasets
from distsearch.errors import RunError, SettingError
from distsearch.runs.directory import StoredRun
from distsearch.search import verification
from distsearch.search.assembly import assemble
from distsearch.search.resumption import stored_model
from distsearch.search.retrieval import own_assembly

FLAGS = {"data": "digits", "model": "torch_modules:Stack", "trainable": "2.*", "name": "run"}
STRATEGIES = {
    "node-perturbation": {},
    "evolution-strategy": {"rank": 1, "population": 4, "decay": 0.5},
    "hill-climb": {"population": 4},
}


@pytest.fixture(scope="module")
def digits():
    data = datasets.load("digits", numbers=False)
    return data.train.features, data.train.targets


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A file of weights that were trained elsewhere."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        module = Stack()
    path = tmp_path_factory.mktemp("base") / "base.safetensors"
    save_file(module.state_dict(), path)
    return path


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_frozen_parameters_keep_the_start_s_values_through_stops_and_are_verified(strategy, base, tmp_path):
    flags = {**FLAGS, **STRATEGIES[strategy], "strategy": strategy, "start": str(base)}
    whole = search(tmp_path / "whole", rounds=3, **flags)[0]
    before, after = load_file(base), load_file(whole.path / "best.safetensors")
    assert {name for name in before if not np.array_equal(before[name], after[name])} == {"2.weight", "2.bias"}
    assert StoredRun(whole.path).manifest.weights == 170
    assert set(whole.manifest.frozen) == {"0.weight", "0.bias"}
    assert load_file(whole.path / "checkpoint.safetensors")["center"].size == 170
    search(tmp_path / "part", rounds=2, **flags)
    resume(tmp_path / "part" / "run", rounds=1)
    assert contents(tmp_path / "part" / "run") == contents(whole.path)
    again = verification.Replay(whole)
    assert verification.verify(again, own_assembly(whole, 0), {0, 2}, lambda number: None).identical
    assert again.best_file(own_assembly(whole, 0).pool()) == (whole.path / "best.safetensors").read_bytes()


def test_a_stored_model_predicts_with_its_own_frozen_weights(base, tmp_path, digits):
    stored = search(tmp_path, rounds=2, start=str(base), strategy="hill-climb", **FLAGS)[0]
    module = Stack()
    module.load_state_dict({name: torch.from_numpy(each) for name, each in stored.best().items()})
    with torch.no_grad():
        expected = module(torch.from_numpy(np.array(digits[0][:9]))).numpy()
    np.testing.assert_allclose(stored_model(stored).outputs(digits[0][:9]), expected, rtol=1e-4, atol=1e-5)


def test_a_saved_result_predicts_with_its_own_frozen_weights(base, tmp_path, digits):
    flags = {"model": "torch_modules:Stack", "trainable": "2.*", "strategy": "hill-climb", "rounds": 2, "workers": 0}
    flags["validation_share"] = 0
    drawn = distsearch.search(*digits, seed=1, **flags)
    given = distsearch.search(*digits, start=str(base), **flags)
    for name, result in (("drawn", drawn), ("given", given)):
        result.save(tmp_path / name)
        again = distsearch.load(tmp_path / name)
        assert torch.equal(again.module[0].weight, result.module[0].weight)
        assert again.loss == result.loss == again.evaluate(*digits).loss
    assert not torch.equal(drawn.module[0].weight, given.module[0].weight)


def test_patterns_choose_whatever_requires_gradients_and_reach_shared_parameters():
    def shared() -> nn.Module:
        module = nn.ModuleDict({"words": nn.Linear(4, 4), "outputs": nn.Linear(4, 4)})
        module.outputs.weight = module.words.weight
        return module.requires_grad_(False)

    from distsearch.networks.modules.making import made

    module = made(shared, 0, ("outputs.*",))
    assert [name for name, each in module.named_parameters() if each.requires_grad] == ["words.weight", "outputs.bias"]
    with pytest.raises(SettingError, match="has no parameters to search: name those that are to change with"):
        made(shared, 0)


def test_layers_with_a_frozen_bias_still_have_nodes(digits):
    flags = {"data": "digits", "model": "torch_modules:Stack", "strategy": "node-perturbation"}
    assembly = assemble(from_flags({**flags, "trainable": "*.weight"}))
    assert [(layer.nodes, layer.width) for layer in assembly.task.nodes] == [(16, 64), (10, 16)]
    result = distsearch.search(
        *digits, model=Stack, trainable="*.weight", strategy="node-perturbation", rounds=60, workers=0
    )
    assert result.accuracy > 0.8
    assert torch.equal(result.module[2].bias, assembly.plan.network.module[2].bias)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("3.*", r"^trainable: no parameter of the model matches '3\.\*'; expected .*, nearest: 0\.weight"),
        (["2.*", "2.wieght"], r"^trainable: no parameter of the model matches '2\.wieght'; .* nearest: 2\.weight"),
    ],
)
def test_a_pattern_that_fits_nothing_is_refused(digits, given, sentence):
    with pytest.raises(SettingError, match=sentence):
        distsearch.search(*digits, model=Stack, trainable=given, rounds=1)


def test_layers_have_no_parameters_to_choose(digits):
    with pytest.raises(SettingError, match="^trainable: is of a torch module: name one with model, or leave it out"):
        distsearch.search(*digits, trainable="head.*", rounds=1)


def test_a_base_that_has_changed_is_noticed(tmp_path, monkeypatch):
    stored = search(tmp_path, rounds=1, strategy="hill-climb", **FLAGS)[0]

    class Other(Stack):
        def __init__(self) -> None:
            super().__init__()
            with torch.no_grad():
                self[0].bias += 1

    monkeypatch.setattr("torch_modules.Stack", Other)
    for again in (lambda: own_assembly(stored, 0), lambda: verification.replay(stored)):
        with pytest.raises(RunError, match=r"was begun with other values of 0\.bias, which it does not search: bring"):
            again()


def test_estimators_take_patterns_as_a_setting(digits):
    classifier = distsearch.SearchClassifier(model=Stack, rounds=2, settings={"trainable": "2.*"}, workers=0)
    assert classifier.fit(*digits).result_.weights.size == 170


def test_the_command_line_shows_what_is_frozen(tmp_path, base, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def typed(*words: str) -> str:
        """What a command prints. It runs in this process, as importing torch takes several seconds."""
        application(words)(words, standalone_mode=False)
        return capsys.readouterr().out

    flags = ["--data", "digits", "--model", "torch_modules:Stack", "--trainable", "2.weight, 2.bias"]
    typed("run", *flags, "--start", str(base), "--rounds", "2", "--workers", "0", "--name", "a")
    assert "frozen: 0.weight, 0.bias" in typed("show", "a")
    shown = json.loads(typed("show", "a", "--json"))
    assert shown["config"]["network"]["trainable"] == ["2.weight", "2.bias"]
    assert set(shown["manifest"]["frozen"]) == {"0.weight", "0.bias"}
