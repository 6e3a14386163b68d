"""Modules that cannot be searched: a sentence each, before anything is begun."""

import numpy as np
import pytest
import torch
import torch_modules
from torch import nn

import distsearch
from distsearch.config import from_flags
from distsearch.data import datasets
from distsearch.errors import SettingError
from distsearch.search.assembly import assemble

X = np.abs(np.random.default_rng(0).normal(size=(30, 6))).astype(np.float32)
Y = np.arange(30) % 3


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("Noisy", "outputs for the same inputs differ from call to call"),
        ("Remembering", "outputs for the same inputs differ from call to call"),
        ("Counting", "its forward pass changes the buffer calls"),
        ("Centred", "its outputs for one example depend on the others"),
        ("Differentiating", "its forward needs gradients, and none are computed here"),
        ("Wide", r"expected outputs of shape \(examples, 3\), one for each of the classes, got \(examples, 6\)"),
        ("Several", "expected a tensor from Several, got tuple"),
        ("Bare", "Bare has no parameters to search"),
        ("Stack", r"on inputs of shape \(examples, 6\), the model raised RuntimeError: mat1 and mat2"),
        ("Indexing", r"its inputs come as float32: call \.long\(\) on them in its forward"),
        ("failing", r"failing\(\) raised ValueError: no weights today"),
        ("nothing", "expected a torch module from nothing, got 3"),
        ("with_arguments", r"missing 1 required positional argument: 'width'; it is called without arguments"),
        ("missing", r"cannot load 'torch_modules:missing'"),
    ],
)
def test_what_cannot_be_searched_is_refused(name, sentence):
    dataset = datasets.from_arrays(X, Y, numbers=False)
    with pytest.raises(SettingError, match=sentence):
        assemble(from_flags({"model": f"torch_modules:{name}"}), dataset)


class Adding(nn.Linear):
    """Makes a buffer on its first call."""

    def forward(self, x):
        if "mask" not in self._buffers:
            self.register_buffer("mask", torch.ones(6))
        return super().forward(x * self.mask)


class InPlace(nn.Linear):
    def forward(self, x):
        x /= 255
        return super().forward(x)


class Held(nn.Linear):
    """Holds a result, which cannot be copied."""

    def __init__(self) -> None:
        super().__init__(6, 3)
        self.latest = self.weight * 2


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (lambda: Adding(6, 3), "its forward pass makes the buffer mask: make it when the module is made"),
        (lambda: InPlace(6, 3), "its forward pass changes its inputs in place: write x = x / 255"),
        (Held(), r"Held cannot be copied \(.*\): give its class, or a function that makes it"),
        (nn.Sequential(nn.LazyLinear(3)), "has lazy layers without a shape: call it once on an example"),
    ],
)
def test_a_module_is_told_what_is_wrong_with_it(model, sentence):
    with pytest.raises(SettingError, match=sentence):
        distsearch.search(X, Y, model=model, rounds=1)


class Bounded(nn.Module):
    """Looks up columns of 0 and 1, has a mask of infinities, and is no number where inputs are above 1."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.layer = nn.Embedding(2, 4), nn.Linear(24, 3)
        self.mask = nn.Parameter(torch.full((3,), float("-inf")), requires_grad=False)

    def forward(self, x):
        known = torch.log(1.5 - x).sum(1, keepdim=True) * 0
        return torch.maximum(self.layer(self.words(x.long()).flatten(1)) + known, self.mask)


def test_what_suits_the_data_need_not_suit_made_up_inputs():
    truths = (X > 0.7).astype(np.float32)
    result = distsearch.search(truths, Y, model=Bounded, rounds=2, workers=0, strategy="node-perturbation", scale=False)
    assert np.isfinite(result.loss)


def test_a_name_says_where_the_module_is():
    with pytest.raises(SettingError, match="^model: expected package.module:name, such as mine:Net, got 'Net'"):
        distsearch.search(X, Y, model="Net")


def test_settings_of_layers_would_do_nothing():
    with pytest.raises(SettingError, match="^layers: has no effect, as the model brings its own layers"):
        distsearch.search(X, Y, model=torch_modules.Softened, layers=[4])
    with pytest.raises(SettingError, match="^start: a model brings its own initial weights"):
        distsearch.search(X, Y, model=torch_modules.Softened, start="he")
    with pytest.raises(SettingError, match="^model: expected a torch module, a class of them, a function"):
        distsearch.search(X, Y, model=3)


def test_weights_that_are_no_numbers_are_refused():
    layer = nn.Linear(6, 3)
    layer.weight.data[0, 0] = float("nan")
    with pytest.raises(SettingError, match="its parameter weight is not finite"):
        distsearch.search(X, Y, model=layer)
    with pytest.raises(SettingError, match="on the meta device"):
        distsearch.search(X, Y, model=nn.Linear(6, 3, device="meta"))


def test_frozen_normalisation_and_dropout_are_said(said):
    distsearch.search(X, Y, model=torch_modules.Softened, rounds=1, workers=0)
    assert any("batch normalisation is frozen" in sentence for sentence in said)
    assert any("dropout is off" in sentence for sentence in said)
