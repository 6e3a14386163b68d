"""Searches that begin with weights that a module has been given before, some of them frozen."""

import re

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from searches import contents, resume, search
from torch import nn
from torch_modules import Stack, TunedHead

import distsearch
from distsearch.data import datasets
from distsearch.errors import DataError, SettingError


@pytest.fixture(scope="module")
def digits():
    data = datasets.load("digits", numbers=False)
    return data.train.features, data.train.targets


@pytest.fixture
def trained() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return Stack()


def test_a_state_dict_is_where_a_search_begins(digits, trained):
    X, y = digits
    flags = {"strategy": "hill-climb", "rounds": 1, "workers": 0, "validation_share": 0}
    found = distsearch.search(X, y, model=Stack, start=trained.state_dict(), **flags)
    with torch.no_grad():
        outputs = trained(torch.from_numpy(X.copy()))
        loss = nn.functional.cross_entropy(outputs, torch.from_numpy(np.array(y))).item()
    assert found.history[0].center_loss == pytest.approx(loss, rel=1e-5)


def test_a_module_and_tensors_of_other_kinds_are_starts_too(digits, trained):
    flags = {"model": Stack, "strategy": "hill-climb", "rounds": 1, "workers": 0}
    halves = {name: each.to(torch.bfloat16) for name, each in trained.state_dict().items()}
    found = [
        distsearch.search(*digits, start=start, **flags).history[0].center_loss
        for start in (trained, dict(trained.named_parameters()), halves)
    ]
    assert found[0] == found[1]
    assert found[2] == pytest.approx(found[0], rel=0.01)
    assert found[2] != found[0]


def test_a_file_of_tensors_is_where_a_run_begins_and_it_can_be_resumed(tmp_path, trained):
    file = tmp_path / "weights.safetensors"
    save_file(trained.state_dict(), file)
    flags = {"data": "digits", "model": "torch_modules:Stack", "start": str(file), "strategy": "hill-climb"}
    whole, _ = search(tmp_path / "whole", rounds=4, name="run", **flags)
    search(tmp_path / "part", rounds=2, name="run", **flags)
    file.unlink()
    resume(tmp_path / "part" / "run", rounds=2)
    assert contents(tmp_path / "part" / "run") == contents(whole.path)
    other, _ = search(tmp_path / "other", rounds=1, name="run", **{**flags, "start": None})
    assert contents(other.path)["history"][0] != contents(whole.path)["history"][0]


def test_pickles_are_not_read(tmp_path, digits, trained):
    for name in ("weights.pt", "model.pth"):
        torch.save(trained.state_dict(), tmp_path / name)
        sentence = re.escape(f"{name} is a pickle, which could run any code, and is not read: write its tensors with")
        with pytest.raises(SettingError, match=f"^start: {sentence}"):
            distsearch.search(*digits, model=Stack, start=str(tmp_path / name), rounds=1)
    (tmp_path / "text.safetensors").write_text("these are no tensors, though the name says so")
    with pytest.raises(SettingError, match=r"^start: expected a run, or a \.safetensors file of float32 or float16"):
        distsearch.search(*digits, model=Stack, start=str(tmp_path / "text.safetensors"), rounds=1)
    with pytest.raises(
        DataError, match="start: .* but expected the tensors of Stack, not so: .*; give it the same model"
    ):
        distsearch.search(*digits, model=Stack, start={"weight": np.zeros((10, 64))}, rounds=1)


def test_a_head_is_tuned_on_a_frozen_base(digits):
    X, y = digits
    found = distsearch.search(X, y, model=TunedHead, rounds=100, strategy="node-perturbation", workers=0)
    assert found.weights.size == 170
    assert found.accuracy > 0.7
    base = TunedHead()
    for name, each in found.module.base.state_dict().items():
        assert torch.equal(each, base.base.state_dict()[name]), name


def test_what_is_frozen_begins_with_the_values_of_the_start_too(digits):
    state = TunedHead().state_dict()
    state["base.weight"] = state["base.weight"] + 1
    found = distsearch.search(*digits, model=TunedHead, start=state, rounds=1, workers=0)
    assert torch.equal(found.module.base.weight, state["base.weight"])
    with pytest.raises(DataError, match=r"base\.bias: expected the shape \(16,\), got \(8,\)"):
        distsearch.search(*digits, model=TunedHead, start={**state, "base.bias": torch.zeros(8)}, rounds=1)


class Rotating(nn.Linear):
    def __init__(self) -> None:
        super().__init__(64, 10)
        self.register_buffer("turns", torch.polar(torch.ones(64), torch.rand(64)))

    def forward(self, x):
        return super().forward((x * self.turns).imag)


def test_complex_buffers_are_begun_with_as_they_are(digits):
    with torch.random.fork_rng():
        torch.manual_seed(5)
        module = Rotating()
    found = distsearch.search(*digits, model=Rotating, start=module, strategy="hill-climb", rounds=1, workers=0)
    assert torch.equal(found.module.turns, module.turns)
