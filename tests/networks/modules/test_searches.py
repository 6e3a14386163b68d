"""Whole searches for a torch module's weights: the same laws, and what comes out is a module."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from programs import ran, started
from safetensors.torch import load_file
from searches import GATED, checkpoint_time, contents, resume, search
from torch import nn
from torch_modules import Rounded, Stack
from waiting import awaited

import distsearch
from distsearch.data import datasets
from distsearch.errors import RunError, SettingError
from distsearch.runs.directory import StoredRun
from distsearch.search import verification
from distsearch.search.resumption import other_machine, own_assembly, stored_model

TESTS = Path(__file__).parents[2]
FLAGS = {"data": "digits", "model": "torch_modules:Stack", "name": "run", "test_share": 0.2}
STRATEGIES = {
    "node-perturbation": {},
    "evolution-strategy": {"rank": 1, "population": 8},
    "hill-climb": {"population": 8, "batch": 300},
}


@pytest.fixture(scope="module")
def digits():
    data = datasets.load("digits", numbers=False)
    return data.train.features, data.train.targets


@pytest.fixture(scope="module", params=STRATEGIES)
def whole(request, tmp_path_factory) -> tuple[dict, StoredRun]:
    flags = {**FLAGS, **STRATEGIES[request.param], "strategy": request.param}
    return flags, search(tmp_path_factory.mktemp("whole"), rounds=4, **flags)[0]


def test_a_search_that_stops_goes_on_to_the_same_bytes_and_can_be_verified(whole, tmp_path):
    flags, stored = whole
    search(tmp_path, rounds=2, **flags)
    resume(tmp_path / "run", rounds=2)
    for name, content in contents(stored.path).items():
        assert contents(tmp_path / "run")[name] == content, name
    replay = verification.Replay(stored)
    verdict = verification.verify(replay, own_assembly(stored, 0), {0, 3}, lambda number: None)
    assert verdict.differences == []
    assert replay.best_file(own_assembly(stored, 0).pool()) == (stored.path / "best.safetensors").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("whole", ["node-perturbation", "evolution-strategy"], indirect=True)
def test_workers_give_the_same_bytes(whole, tmp_path, ray_with_three_cpus):
    flags, stored = whole
    again = search(tmp_path, rounds=4, **{**flags, "workers": 2})[0]
    assert contents(again.path) == contents(stored.path)


@pytest.mark.slow
def test_a_killed_search_of_an_lstm_goes_on_to_the_same_bytes_and_can_be_verified(tmp_path, ray_with_three_cpus):
    flags = {**FLAGS, "model": "torch_modules:Rows", "strategy": "node-perturbation", "batch": 200, "rounds": 8}
    whole = search(tmp_path / "whole", **flags)[0]
    path = tmp_path / "killed" / "run"
    options = [f"--{name.replace('_', '-')}={value}" for name, value in flags.items()]
    program = f"import sys; sys.path.insert(0, {str(TESTS)!r})\n{GATED.format(gate=6)}"
    command = ("run", *options, "--workers=2", f"--runs={path.parent}")
    with started(*command, cwd=tmp_path, program=program) as process:
        awaited("a checkpoint", lambda: process.poll() is not None or checkpoint_time(path))
        assert process.poll() is None, process.communicate()[1]
        process.kill()
    assert StoredRun(path).result is None
    resume(path, workers=2)
    assert contents(path) == contents(whole.path)
    stored = StoredRun(path)
    assert verification.verify(verification.Replay(stored), own_assembly(stored, 0), {0, 7}, lambda _: None).identical


def test_threads_and_settings_of_the_user_change_no_bit_and_stay(whole, tmp_path):
    flags, stored = whole
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        torch.set_float32_matmul_precision("medium")
        torch.set_default_dtype(torch.float64)
        again = search(tmp_path, rounds=4, **flags)[0]
        assert torch.get_num_threads() == 2
        assert (torch.get_float32_matmul_precision(), torch.get_default_dtype()) == ("medium", torch.float64)
    finally:
        torch.set_num_threads(before)
        torch.set_float32_matmul_precision("highest")
        torch.set_default_dtype(torch.float32)
    assert contents(again.path) == contents(stored.path)


def test_torch_s_compiler_is_not_imported(tmp_path):
    program = """
import sys
import distsearch
from torch import nn
X, y = [[0.0], [1.0], [2.0]] * 4, [0, 1, 1] * 4
for strategy in ("node-perturbation", "evolution-strategy"):
    distsearch.search(X, y, model=lambda: nn.Linear(1, 2), strategy=strategy, rounds=1, workers=0)
print({"torch", "torch._dynamo", "torch._inductor"} & sys.modules.keys())
"""
    assert ran(cwd=tmp_path, program=program, fresh=True).stdout == "{'torch'}\n"  # it would take each worker seconds


def test_the_manifest_has_the_source_and_torch_s_version(whole):
    _, stored = whole
    model, engine = (
        next(each for each in stored.manifest.code if each["kind"] == kind) for kind in ("model", "engine")
    )
    source = TESTS / "torch_modules.py"
    assert model["sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert engine == {"kind": "engine", "name": "torch", "version": torch.__version__}
    assert not other_machine(stored)


def test_another_torch_is_another_machine(tmp_path):
    stored = search(tmp_path, rounds=1, **FLAGS)[0]
    path = stored.path / "manifest.json"
    document = json.loads(path.read_bytes())
    document.pop("check", None)
    from distsearch.search.foreign_code import changed_since

    code = tuple({**each, "version": "1.0"} if each["kind"] == "engine" else each for each in document["code"])
    sentence = changed_since(code, stored.config)
    assert sentence == f"it was made with torch 1.0, and this is {torch.__version__}"


def test_the_weights_are_a_state_dict(whole, digits):
    _, stored = whole
    module = Stack()
    module.load_state_dict(load_file(stored.path / "best.safetensors"))
    model = stored_model(stored)
    with torch.no_grad():
        outputs = module(torch.from_numpy(np.array(digits[0][:20]))).numpy()
    np.testing.assert_allclose(outputs, model.outputs(digits[0][:20]), rtol=1e-4, atol=1e-5)


def test_a_module_learns_and_is_returned(digits, tmp_path):
    X, y = digits
    result = distsearch.search(X, y, model=Stack, strategy="node-perturbation", rounds=150, workers=0)
    assert result.accuracy > 0.95
    with torch.no_grad():
        predicted = result.module(torch.from_numpy(X.copy())).argmax(1).numpy()
    assert np.array_equal(predicted, result.predict(X))
    result.save(tmp_path / "file")
    assert np.array_equal(distsearch.load(tmp_path / "file").predict(X), predicted)


def test_a_module_itself_is_copied_and_its_object_needs_no_name(digits, tmp_path):
    X, y = digits
    module = nn.Sequential(nn.Linear(64, 10))
    before = module[0].weight.detach().clone()
    result = distsearch.search(X, y, model=module, strategy="hill-climb", rounds=3, workers=0, runs=tmp_path, name="a")
    assert torch.equal(module[0].weight, before)
    with pytest.raises(SettingError, match=r"torch\.save\(result\.module\.state_dict\(\), path\)"):
        result.save(tmp_path / "file")
    with pytest.raises(SettingError, match="the module was given from Python and is not in the run"):
        distsearch.load(tmp_path / "a")
    with pytest.raises(SettingError, match="module: expected the result of a search with model="):
        _ = distsearch.search(X, y, layers=[2], rounds=1, workers=0).module


def test_numbers_are_learnt_by_modules_with_one_output(digits):
    X, y = digits[0][:, :6], digits[0][:, :1].sum(1) + 2 * digits[0][:, 3]
    module = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1), nn.Flatten(0))
    result = distsearch.search(X, y, model=module, loss="mean-squared-error", rounds=300, workers=0)
    assert result.score(X, y) > 0.9
    assert result.predict(X).shape == y.shape


def test_weights_in_steps_learn(digits):
    X, y = digits[0][:, 10:16], digits[1] % 3
    result = distsearch.search(X, y, model=Rounded, strategy="node-perturbation", rounds=60, workers=0)
    chance = max(np.bincount(y)) / len(y)
    assert result.accuracy > chance + 0.05


def test_a_run_of_a_module_that_is_gone_says_so(tmp_path, monkeypatch):
    stored = search(tmp_path, rounds=1, **FLAGS)[0]
    monkeypatch.delattr("torch_modules.Stack")
    with pytest.raises((RunError, SettingError), match="cannot load 'torch_modules:Stack'"):
        stored_model(stored)


def test_what_is_neither_searched_nor_stored_is_drawn_again_as_it_was(digits, tmp_path):
    X, y = digits
    settings = {"model": "torch_modules:Fourier", "strategy": "hill-climb", "rounds": 2, "workers": 0, "runs": tmp_path}
    drawn = distsearch.search(X, y, seed=7, name="drawn", **settings)
    given = distsearch.search(X, y, seed=7, name="given", start=drawn.module.state_dict(), **settings)
    for name, result in (("drawn", drawn), ("given", given)):
        result.save(tmp_path / "file")
        for again in (distsearch.load(tmp_path / name), distsearch.load(tmp_path / "file")):
            assert torch.equal(again.module.frequencies, result.module.frequencies)
            assert again.evaluate(X, y).loss == result.evaluate(X, y).loss
    assert not torch.equal(drawn.module.frequencies, given.module.frequencies)


class OfOne(nn.Module):
    """A number for each example, without an axis of outputs."""

    def __init__(self, ends) -> None:
        super().__init__()
        self.layer, self.ends = nn.Linear(2, 1), ends

    def forward(self, x):
        found = self.layer(x)
        return found.squeeze() if self.ends == "squeeze" else found.flatten(0)


@pytest.mark.parametrize("ends", ["squeeze", "flatten"])
@pytest.mark.parametrize("strategy", ["node-perturbation", "hill-climb"])
def test_a_slice_of_one_example_may_have_one_number(ends, strategy):
    X = np.random.default_rng(0).normal(size=(129, 2))
    settings = {"rounds": 3, "workers": 0, "strategy": strategy}
    result = distsearch.search(X, X[:, 0], model=lambda: OfOne(ends), **settings)
    assert result.predict(X[:1]).shape == (1,)
    assert result.predict(X).shape == (129,)
