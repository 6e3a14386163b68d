"""Modules as ONNX: what others run gives what `predict` gives, or it is refused in a sentence."""

import numpy as np
import onnxruntime
import pytest
import torch
from safetensors.numpy import load_file
from torch import nn
from torch_modules import Rounded, Words

import distsearch
from distsearch.errors import SettingError

X = np.random.default_rng(0).integers(0, 9, (60, 6)).astype(np.float32)
TYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64}  # the latter where features are scaled
Y = np.array(["a", "b", "c"])[np.arange(60) % 3]


class Steps(nn.Module):
    def __init__(self, kind=nn.LSTM) -> None:
        super().__init__()
        self.layer, self.attention = kind(2, 4, batch_first=True), nn.MultiheadAttention(4, 2, batch_first=True)
        self.outputs = nn.Linear(4, 3)

    def forward(self, x):
        found = self.layer(x.reshape(-1, 3, 2))[0]
        return self.outputs(self.attention(found, found, found, need_weights=False)[0][:, -1])


class Deciding(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 3)

    def forward(self, x):
        return self.layer(x) * (2 if len(x) > 8 else 1)


def picture():
    return nn.Sequential(nn.Conv2d(1, 2, 2), nn.ReLU(), nn.Flatten(), nn.Linear(4, 3))


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        (Rounded, {"scale": True}),
        (Words, {"scale": False}),
        (Steps, {}),
        (lambda: Steps(nn.GRU), {}),
        (picture, {"shape": (2, 3, 1)}),
    ],
)
def test_other_programs_predict_the_same(model, settings, tmp_path):
    result = distsearch.search(X, Y, model=model, strategy="hill-climb", rounds=1, population=4, workers=0, **settings)
    result.export(tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    [given] = session.get_inputs()
    label, probabilities = session.run(["label", "probabilities"], {given.name: X[:7].astype(TYPES[given.type])})
    np.testing.assert_allclose(probabilities, result.predict_proba(X[:7]), atol=1e-5)
    assert label.tolist() == result.predict(X[:7]).tolist()


def test_what_cannot_be_exported_is_refused(tmp_path):
    result = distsearch.search(X, Y, model=Deciding, strategy="hill-climb", rounds=1, population=4, workers=0)
    with pytest.raises(SettingError, match="cannot be exported to ONNX: what torch wrote gives other outputs"):
        result.export(tmp_path / "model.onnx")
    with pytest.raises(SettingError, match=r"expected a file that ends in \.onnx or \.safetensors"):
        result.export(tmp_path / "model.py")
    assert not list(tmp_path.iterdir())


class Counting(Deciding):
    def forward(self, x):
        return self.layer(x) + torch.zeros(len(x), 3)


def test_the_number_of_examples_is_not_to_be_fixed(tmp_path):
    result = distsearch.search(X, Y, model=Counting, strategy="hill-climb", rounds=1, population=4, workers=0)
    with pytest.raises(SettingError, match=r"another number of examples: take that from x\.shape\[0\], not len\(x\)"):
        result.export(tmp_path / "model.onnx")


class Special(Deciding):
    def forward(self, x):
        return self.layer(torch.special.bessel_j0(x))


def test_an_operation_that_torch_cannot_write_is_named(tmp_path):
    result = distsearch.search(X, Y, model=Special, strategy="hill-climb", rounds=1, population=4, workers=0)
    with pytest.raises(SettingError, match=r"^(network\.)?model: cannot be exported to ONNX: .*bessel_j0.*safetensors"):
        result.export(tmp_path / "model.onnx")


class Normalised(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.frozen = nn.Linear(6, 4).requires_grad_(False)
        self.norm, self.outputs = nn.BatchNorm1d(4), nn.Linear(4, 3)

    def forward(self, x):
        return self.outputs(self.norm(self.frozen(x)))


def test_a_file_of_weights_has_what_is_not_searched_as_it_is(tmp_path):
    result = distsearch.search(X, Y, model=Normalised, strategy="hill-climb", rounds=2, seed=3, workers=0)
    result.export(tmp_path / "model.safetensors")
    kept = load_file(tmp_path / "model.safetensors")
    assert {name: each.tolist() for name, each in kept.items()} == {
        name: each.numpy().tolist() for name, each in result.module.state_dict().items()
    }
    again = distsearch.search(X, Y, model=Normalised, strategy="hill-climb", rounds=1, start=kept, workers=0)
    assert torch.equal(again.module.frozen.weight, result.module.frozen.weight)
