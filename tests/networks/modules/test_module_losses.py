"""Losses that are given the module itself: a simulator inside, random numbers from the counter, the same laws."""

import numpy as np
import pytest
import torch
import torch_modules
from searches import contents
from torch_modules import Stack, Walker, walked

import distsearch
from distsearch.errors import ObjectiveError, SettingError
from distsearch.search.verification import Verdict

X = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32) * np.array([1, 30], np.float32)
Y = np.zeros(40)
FLAGS = {"model": Walker, "loss": walked, "strategy": "evolution-strategy", "rank": 0, "population": 8}


def declared(function, **attributes):
    function.takes_module = True
    vars(function).update(attributes)
    return function


def test_a_simulator_is_searched_resumed_and_verified(tmp_path):
    flags = {**FLAGS, "batch": 10, "test_share": 0.2, "measure_every": 2, "workers": 0, "runs": tmp_path}
    whole = distsearch.search(X, Y, rounds=6, name="whole", **flags)
    distsearch.search(X, Y, rounds=3, name="part", **flags)
    distsearch.resume(tmp_path / "part", X, Y, rounds=3)
    assert contents(tmp_path / "part") == contents(tmp_path / "whole")
    verdict: Verdict = distsearch.verify(tmp_path / "whole", X, Y, rounds="all")
    assert verdict.differences == []
    assert whole.summary.test_loss is not None
    assert whole.summary.accuracy is None


@pytest.mark.slow
def test_workers_give_the_same_bits(ray_with_three_cpus):
    losses = [
        [row.center_loss for row in distsearch.search(X, Y, rounds=4, workers=workers, **FLAGS).history]
        for workers in (0, 2)
    ]
    assert losses[0] == losses[1]


def test_it_learns_what_the_function_says_and_scores_to_the_bit():
    found = distsearch.search(X, Y, rounds=60, workers=0, sigma=0.03, rate=0.06, **FLAGS)
    assert found.loss < 0.5 * found.history[0].center_loss
    assert found.evaluate(X, Y).loss == found.loss
    torch.manual_seed(0)
    batch = type("Batch", (), {"inputs": torch.from_numpy(X), "targets": torch.zeros(40)})
    with torch.no_grad():
        assert float(walked(found.module, batch).mean()) == pytest.approx(found.loss, rel=0.2)
    with pytest.raises(SettingError, match="takes the module itself, so nothing is known of its outputs"):
        found.predict(X)


def test_features_and_targets_come_as_they_are():
    seen = []

    def looking(module, batch):
        seen.append(batch)
        return module.layer.weight.square().sum()

    distsearch.search(X, X, model=Walker, loss=declared(looking), strategy="hill-climb", rounds=1, workers=0)
    whole = next(batch for batch in seen if len(batch.inputs) == 40)
    assert np.array_equal(whole.inputs.numpy(), X)
    assert np.array_equal(whole.targets.numpy(), X)
    labels = np.array(["no", "yes"])[np.arange(40) % 2]
    looking.numbers = False
    distsearch.search(X, labels, model=Walker, loss=looking, strategy="hill-climb", rounds=1, workers=0)
    assert seen[-1].targets.tolist() == [0, 1] * 20


def test_every_candidate_of_a_round_meets_the_same_random_numbers():
    drawn: list[tuple[int, float]] = []

    def drawing(module, batch):
        drawn.append((len(batch.inputs), float(torch.rand(()))))
        return module.layer.weight.square().sum()

    flags = {"model": Walker, "strategy": "hill-climb", "population": 4, "workers": 0, "rounds": 3}
    distsearch.search(X, Y, loss=declared(drawing), **flags)
    assert len({number for _, number in drawn}) == 1
    drawn.clear()
    before = torch.random.get_rng_state()
    distsearch.search(X, Y, loss=drawing, batch=8, measure_every=10, **flags)
    assert torch.equal(torch.random.get_rng_state(), before)
    rounds = [number for size, number in drawn if size == 8]
    assert len(set(rounds)) >= 3
    assert sum(rounds.count(number) >= 4 for number in set(rounds)) == 3


@pytest.mark.parametrize(
    ("function", "error", "sentence"),
    [
        (
            lambda module, batch: "much",
            ObjectiveError,
            "expected one number, or one for each of 4 examples, got 'much'",
        ),
        (lambda module, batch: torch.zeros(3), ObjectiveError, r"for each of 4 examples, got the shape \(3,\)"),
        (lambda module, batch: batch.words, ObjectiveError, r"raised AttributeError: .* has no attribute 'words'"),
        (lambda module, batch: np.random.default_rng().normal(), SettingError, "depends on weights and batch alone"),
    ],
)
def test_a_loss_that_cannot_be_is_refused_before_the_search(function, error, sentence):
    with pytest.raises(error, match=sentence):
        distsearch.search(X, Y, model=Walker, loss=declared(function), rounds=1, workers=0)


def test_the_loss_may_be_a_tensor_in_need_of_a_gradient_or_of_few_bits():
    def with_gradient(module, batch):
        with torch.enable_grad():
            return walked(module, batch).mean().requires_grad_()

    def of_few_bits(module, batch):
        return walked(module, batch).mean().bfloat16()

    for function in (with_gradient, of_few_bits):
        result = distsearch.search(X, Y, model=Walker, loss=declared(function), rounds=2, workers=0)
        assert np.isfinite(result.loss)


def test_a_score_needs_outputs():
    def walked_by_class(module, batch):
        return walked(module, batch)

    walked_by_class.takes_module, walked_by_class.numbers = True, False
    result = distsearch.search(X, np.arange(40) % 2, model=Walker, loss=walked_by_class, rounds=1, workers=0)
    with pytest.raises(SettingError, match="^score: the loss takes the module itself, so nothing is known of the"):
        result.score(X, np.arange(40) % 2)


def test_what_needs_outputs_is_refused():
    with pytest.raises(SettingError, match="^loss: torch_modules:walked takes a torch module: name one with model"):
        distsearch.search(X, Y, loss=walked, rounds=1)
    with pytest.raises(
        SettingError, match="node-perturbation moves the nodes .* or for a loss that takes a torch module"
    ):
        distsearch.search(X, Y, model=Walker, loss=walked, strategy="node-perturbation")
    with pytest.raises(SettingError, match="^metrics: torch_modules:walked takes the module itself, and there are no"):
        distsearch.search(X, Y, rounds=1, metrics="r2", **FLAGS)
    with pytest.raises(SettingError, match="weighs all examples alike"):
        distsearch.search(X, Y, rounds=1, sample_weight=1 + np.arange(40) % 2, **FLAGS)


def test_a_loss_without_the_word_still_takes_outputs_and_targets():
    def plain(outputs, targets):
        return (outputs.argmax(1) != targets).mean()

    digits = np.random.default_rng(0).random((30, 64)), np.arange(30) % 10
    assert distsearch.search(*digits, model=Stack, loss=plain, rounds=1, workers=0).loss <= 1


def test_the_loss_is_found_by_its_name(tmp_path):
    np.savez(tmp_path / "walks.npz", X=X, y=Y)
    from searches import search

    stored, result = search(
        tmp_path, data=str(tmp_path / "walks.npz"), model="torch_modules:Walker", loss="torch_modules:walked", rounds=2
    )
    assert {each["kind"] for each in stored.manifest.code} == {"loss", "model", "engine"}
    assert result.loss == distsearch.load(stored.path).evaluate(X, Y).loss
    assert torch_modules.walked.takes_module
