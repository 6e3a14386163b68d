"""Modules on a GPU and in bfloat16. Where a GPU would compute much together, the processor does it here."""

import json

import numpy as np
import pytest
import torch
import torch_modules
from module_networks import EXAMPLES, estimated, inputs_of, made
from programs import refused
from searches import contents, search
from torch_modules import Stack

import distsearch
from distsearch.candidates.base import Dense, Shared
from distsearch.candidates.pairs import LowRank, Pairs, Products, factors_width
from distsearch.data import datasets
from distsearch.errors import SettingError
from distsearch.networks.modules import devices
from distsearch.networks.modules.engine import Computing
from distsearch.networks.modules.network import ModuleNetwork
from distsearch.objectives.model import Model
from distsearch.randomness import Stream, noise
from distsearch.runs.directory import StoredRun
from distsearch.search import session, verification
from distsearch.search.resumption import other_machine, own_assembly

FLAGS = {"data": "digits", "model": "torch_modules:Stack", "name": "run", "validation_share": 0}
GPU = "NVIDIA of the tests"
BFLOAT16 = 2**-7  # relative: half of its last bit, added up over a few operations


@pytest.fixture(autouse=True)
def _without_gpu(monkeypatch):
    monkeypatch.setattr(devices, "gpu", lambda: "")


@pytest.fixture
def as_on_a_gpu(monkeypatch):
    """Runs may be on a GPU, which this process has not."""
    monkeypatch.setattr(devices, "check", lambda device: None)


@pytest.fixture(scope="module")
def digits():
    data = datasets.load("digits", numbers=False)
    return data.train.features, data.train.targets


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"model": Stack, "device": "gpu"}, "device: expected cpu, cuda or auto, got 'gpu'"),
        ({"model": Stack, "device": "cuda"}, 'device: expected a GPU that torch can use, .* choose device="cpu"'),
        ({"device": "cuda"}, "device: is of a torch module"),
        ({"model": Stack, "precision": "int8"}, "precision: expected float32 or bfloat16 for a model's forward passes"),
        ({"model": Stack, "precision": ["float32", "bfloat16"]}, "precision: expected float32 or bfloat16"),
        ({"precision": "bfloat16"}, "precision: bfloat16 is of a torch module's forward passes"),
    ],
)
def test_devices_and_precisions_that_cannot_be_are_refused(digits, settings, sentence):
    with pytest.raises(SettingError, match=f"^{sentence}"):
        distsearch.search(*digits, rounds=1, workers=0, **settings)


def test_auto_takes_the_processor_where_there_is_no_gpu(tmp_path, caplog):
    found = search(tmp_path / "auto", rounds=2, device="auto", **FLAGS)[0]
    assert "--device auto: torch finds no GPU here, so the model computes on the processor" in caplog.messages
    assert found.config.network.device == "cpu"
    assert contents(found.path) == contents(search(tmp_path / "cpu", rounds=2, **FLAGS)[0].path)


def candidates_of(network: ModuleNetwork, rank: int):
    """A center and two pairs around it."""
    center, pairs = network.start(None, 1), Pairs(0, 5)
    factors = noise(3, Stream.CANDIDATES, 0, 0, 2, factors_width(network.blocks, 1))
    around = LowRank(pairs, center, Products(), network.blocks, factors, 1, 0.05)
    return around if rank else Dense(around.dense())


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize(
    ("name", "shape", "outputs"),
    [("Stack", (64,), 10), ("Pictures", (6, 6, 2), 3), ("Words", (5,), 3), ("Hidden", (6,), 3), ("adapted", (64,), 10)],
)
def test_many_candidates_in_one_call_are_those_of_one_after_the_other(name, shape, outputs, rank):
    factory = getattr(torch_modules, name)
    stacked, single = (
        ModuleNetwork(factory, shape, outputs, "one for each class", (), Computing(device))
        for device in ("cuda", "cpu")
    )
    assert (stacked.stacked, single.stacked) == (True, False)
    inputs = inputs_of(int(np.prod(shape)))
    inputs[:-1] = np.floor(inputs[:-1]) if name == "Words" else inputs[:-1]
    found, expected = (each.forward(candidates_of(each, rank), Shared(inputs)) for each in (stacked, single))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    assert all(np.abs(expected[0] - other).max() > 1e-3 for other in expected[1:])  # of other weights


def test_nodes_are_moved_to_the_same_bits_as_on_a_processor():
    gradients = []
    for device in ("cpu", "cuda"):
        network = ModuleNetwork(torch_modules.Words, (5,), 3, "one for each class", (), Computing(device))
        inputs = inputs_of(5)
        inputs[:-1] = np.floor(inputs[:-1])
        assert max(network._subject.parts) > 1  # places are moved apart from each other
        gradients.append(estimated(network, network.start(None, 1), inputs, np.arange(EXAMPLES) % 3))
    assert gradients[0].any()
    assert np.array_equal(*gradients)


def test_what_asks_for_values_is_called_for_one_after_the_other():
    network = ModuleNetwork(torch_modules.Choosing, (6,), 3, "one for each class", (), Computing("cuda"))
    assert not network.stacked
    assert network.one_by_one


@pytest.mark.parametrize(
    "strategy",
    [
        {"strategy": "evolution-strategy", "population": 70},
        {"strategy": "evolution-strategy", "population": 70, "rank": 1},
    ],
)
@pytest.mark.slow
def test_workers_give_the_bits_of_none_where_many_are_computed_together(
    tmp_path, as_on_a_gpu, ray_with_three_cpus, strategy
):
    flags = {**FLAGS, **strategy, "device": "cuda", "rounds": 3}
    alone, shared = (search(tmp_path / str(count), **{**flags, "workers": count})[0] for count in (0, 2))
    assert alone.config.network.device == "cuda"
    assert contents(alone.path) == contents(shared.path)


def test_a_run_on_a_gpu_is_verified_elsewhere_with_a_warning(tmp_path, as_on_a_gpu, monkeypatch):
    described = session.description
    monkeypatch.setattr(session, "description", lambda device: described(GPU))
    stored = search(tmp_path, rounds=3, device="cuda", strategy="evolution-strategy", population=8, **FLAGS)[0]
    assert json.loads((stored.path / "manifest.json").read_bytes())["machine"]["device"] == GPU
    sentence = f"was made with device {GPU}, and this is the processor: bits may come out differently"
    assert other_machine(stored).endswith(sentence)
    verdict = verification.verify(verification.Replay(stored), own_assembly(stored, 0), {0, 1, 2}, lambda number: None)
    assert verdict.differences == []  # as it was here


def test_the_command_refuses_a_gpu_that_is_not_there(tmp_path):
    (tmp_path / "mine.py").write_text("from torch import nn\n\ndef net():\n    return nn.Linear(2, 3)\n")
    said = refused("run", "--model", "mine:net", "--device", "cuda", "--rounds", "1", cwd=tmp_path)
    if not torch.cuda.is_available():
        assert "--device: expected a GPU that torch can use, and it finds none: choose --device cpu" in said
        assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("strategy", ["node-perturbation", "evolution-strategy"])
def test_a_module_is_searched_in_bfloat16(digits, strategy):
    X, y = digits
    rounds = {"node-perturbation": 100, "evolution-strategy": 3}[strategy]
    result = distsearch.search(X, y, model=Stack, precision="bfloat16", strategy=strategy, rounds=rounds, workers=0)
    exact = Model(result.model.config, result.model.schema, result.weights, made(Stack, (64,), 10))
    outputs, expected = result.model.outputs(X), exact.outputs(X)
    assert outputs.dtype == result.weights.dtype == np.float32
    apart = np.abs(outputs - expected).max() / np.abs(expected).max()
    assert 1e-6 < apart < 4 * BFLOAT16
    if strategy == "node-perturbation":
        assert (result.predict(X) == y).mean() > 0.93


def test_a_run_in_bfloat16_is_verified_and_stored_in_float32(tmp_path):
    flags = {**FLAGS, "precision": "bfloat16", "strategy": "node-perturbation"}
    stored: StoredRun = search(tmp_path, rounds=3, **flags)[0]
    verdict = verification.verify(verification.Replay(stored), own_assembly(stored, 0), {0, 2}, lambda number: None)
    assert verdict.differences == []
    assert {each.dtype for each in stored.best().values()} == {np.dtype(np.float32)}
