"""Low-rank adapters: the module begins as it was, they alone are searched, and they can be merged into it."""

import copy

import numpy as np
import pytest
import torch
from searches import contents, resume, search
from torch import nn
from torch_modules import Pictures, Stack, adapted

import distsearch
from distsearch.data import datasets
from distsearch.errors import SettingError
from distsearch.networks.modules.lora import EightBitLayer, LowRankAdapter, add_adapters, merge_adapters
from distsearch.search import verification
from distsearch.search.retrieval import own_assembly

CONVOLUTIONS = [
    (nn.Conv1d(3, 5, 3, stride=2, padding=1, padding_mode="circular"), (2, 3, 9)),
    (nn.Conv2d(3, 5, (3, 1), dilation=2, bias=False), (2, 3, 9, 9)),
    (nn.Conv3d(3, 5, 3, padding="same"), (2, 3, 4, 4, 4)),
    (nn.Linear(6, 5), (2, 7, 6)),
]


def filled(module: nn.Module) -> nn.Module:
    """The module with adapters that do something."""
    with torch.no_grad():
        for name, each in module.named_parameters():
            if "lora_B" in name:
                each.normal_(generator=torch.Generator().manual_seed(3))
    return module


@pytest.mark.parametrize(("layer", "shape"), CONVOLUTIONS, ids=lambda each: type(each).__name__)
def test_a_layer_begins_as_it_was_and_can_be_merged(layer, shape):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    adapter = LowRankAdapter(copy.deepcopy(layer), rank=2, alpha=6.0)
    searched = [name for name, each in adapter.named_parameters() if each.requires_grad]
    assert searched == ["lora_A.weight", "lora_B.weight"]
    with torch.no_grad():
        assert torch.equal(adapter(x), layer(x))
        filled(adapter)
        expected = layer(x) + 3 * adapter.lora_B(adapter.lora_A(x))
        assert not torch.allclose(adapter(x), layer(x), atol=0.1)
        assert torch.equal(adapter(x), expected)
        merged = merge_adapters(nn.Sequential(adapter))[0]
        assert type(merged) is type(layer)
        torch.testing.assert_close(merged(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("layer", "shape"), CONVOLUTIONS, ids=lambda each: type(each).__name__)
def test_frozen_weights_in_8_bits_are_within_half_a_step(layer, shape):
    kept = EightBitLayer(copy.deepcopy(layer))
    assert kept.layer.weight.dtype == torch.int8
    rows = layer.weight.detach().flatten(1)
    steps = rows.abs().amax(1, keepdim=True) / 127
    assert ((kept.weight.flatten(1) - rows).abs() <= steps * 0.5001).all()
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        plain = copy.deepcopy(layer)
        plain.weight.copy_(kept.weight)
        assert torch.equal(kept(x), plain(x))
        merged = merge_adapters(nn.Sequential(filled(LowRankAdapter(copy.deepcopy(layer), 2, 2.0, bits=8))))
        assert {each.dtype for each in merged.state_dict().values()} == {torch.float32}


def test_rows_of_zeros_stay_zeros():
    layer = nn.Linear(3, 2)
    nn.init.zeros_(layer.weight)
    assert torch.equal(EightBitLayer(layer).weight, torch.zeros(2, 3))


def test_merging_gives_back_the_names_and_shared_parts_are_adapted_once():
    before = Stack().state_dict()
    assert merge_adapters(add_adapters(Stack(), 2)).state_dict().keys() == before.keys()
    one = nn.Linear(4, 4)
    module = add_adapters(nn.Sequential(one, nn.ReLU(), one), 1)
    assert module[0] is module[2]
    assert sum(each.requires_grad for each in module.parameters()) == 2
    assert isinstance(add_adapters(nn.Linear(3, 2)), LowRankAdapter)


def test_code_that_reads_a_layer_s_weights_sees_the_adapter(monkeypatch):
    attention = nn.MultiheadAttention(4, 2, batch_first=True).eval()
    x = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        before = attention(x, x, x)[0]
        add_adapters(attention, 2)
        torch.testing.assert_close(attention(x, x, x)[0], before)
        filled(attention)
        after = attention(x, x, x)[0]
        assert not torch.allclose(after, before, atol=0.01)
        torch.testing.assert_close(merge_adapters(attention)(x, x, x)[0], after)


def test_patterns_choose_layers():
    module = add_adapters(Pictures(), 1, layers="conv*")
    assert [name for name, each in module.named_modules() if isinstance(each, LowRankAdapter)] == ["convolution"]
    for given, sentence in (
        ({"layers": "outptus"}, r"^layers: no linear or convolution layer matches 'outptus'; nearest: outputs"),
        ({"rank": 0}, "^rank: expected a whole number of at least 1, got 0"),
        ({"alpha": -1}, "^alpha: expected a number above 0, got -1"),
        ({"bits": 4}, "^bits: expected 8 or 32, got 4"),
    ):
        with pytest.raises(SettingError, match=sentence):
            add_adapters(Pictures(), **given)
    with pytest.raises(SettingError, match="no linear or convolution layer matches '\\*'; ReLU has none"):
        add_adapters(nn.ReLU())


@pytest.mark.parametrize(
    "flags", [{"strategy": "node-perturbation"}, {"strategy": "evolution-strategy", "rank": 1, "population": 4}]
)
def test_adapters_of_8_bit_layers_are_searched_resumed_and_verified(flags, tmp_path):
    flags = {"data": "digits", "model": "torch_modules:adapted", "name": "run", **flags}
    whole = search(tmp_path / "whole", rounds=3, **flags)[0]
    assert whole.manifest.weights == 2 * (64 + 16) + 2 * (16 + 10)
    assert whole.best()["0.base.layer.weight"].dtype == np.int8
    search(tmp_path / "part", rounds=1, **flags)
    resume(tmp_path / "part" / "run", rounds=2)
    assert contents(tmp_path / "part" / "run") == contents(whole.path)
    assert verification.verify(verification.Replay(whole), own_assembly(whole, 0), {1}, lambda _: None).identical


def test_adapters_learn_and_the_result_merges():
    data = datasets.load("digits", numbers=False)
    X, y = data.train.features, data.train.targets
    found = distsearch.search(X, y, model=adapted, strategy="node-perturbation", rounds=100, workers=0)
    assert found.accuracy > 0.6
    with torch.no_grad():
        outputs = found.module(torch.from_numpy(X.copy()))
        torch.testing.assert_close(merge_adapters(found.module)(torch.from_numpy(X.copy())), outputs)
    assert np.array_equal(outputs.argmax(1).numpy(), found.predict(X))


def test_adapters_are_of_the_type_of_their_layer():
    layer = nn.Linear(6, 5).double()
    x = torch.ones(2, 6, dtype=torch.float64)
    assert torch.equal(LowRankAdapter(copy.deepcopy(layer), rank=2, alpha=4.0)(x), layer(x))
