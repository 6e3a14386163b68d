"""Layers of a user's own that hide what they compute: declared, their nodes are moved as those of others."""

import copy
import pickle

import numpy as np
import pytest
import torch
from module_networks import EXAMPLES, cosines, estimated, exact, experiments_of, gradient, inputs_of, made
from torch import nn
from torch_modules import Hidden, Hides

import distsearch
from distsearch.errors import SettingError
from distsearch.networks.modules.sources import WithNodes

LABELS = np.arange(EXAMPLES) % 3


def hidden():
    return nn.Sequential(Hides(6, 5), nn.Tanh(), Hides(5, 3))


@pytest.mark.parametrize(
    "source", [Hidden, WithNodes(hidden, {Hides: "linear"}), WithNodes(hidden(), {Hides: "linear"})]
)
def test_their_nodes_are_moved(source):
    network = made(source, (6,))
    kinds = [(each.layer.kind, each.nodes, each.width) for each in network.anatomy.layers]
    assert kinds == [("own linear", 5, 7), ("own linear", 3, 6)]
    weights, inputs = network.start(None, 1), inputs_of(6)
    found = cosines(network, estimated(network, weights, inputs, LABELS), exact(network, weights, inputs, LABELS))
    assert min(found.values()) > 0.98


def test_their_low_rank_steps_are_added_once():
    assert made(Hidden, (6,)).nudged


def test_without_a_word_they_are_weights_outside_of_layers():
    assert not made(hidden, (6,)).anatomy.layers


def test_a_record_gives_what_the_module_s_python_gives():
    experiments = experiments_of(Hidden, (6,), 3)
    assert experiments._replay is not None
    together = gradient(experiments, 2, 0.3)
    experiments._replay = None
    np.testing.assert_allclose(together, gradient(experiments, 2, 0.3), rtol=1e-3, atol=1e-4)


def test_what_is_given_back_is_the_module_as_it_was():
    network = made(Hidden, (6,))
    module = network.with_weights(network.start(None, 1))
    assert not any(each._forward_hooks for each in module.modules())
    again = pickle.loads(pickle.dumps(network))  # noqa: S301
    assert [each.layer for each in again.anatomy.layers] == [each.layer for each in network.anatomy.layers]
    given = hidden()
    made(WithNodes(given, {Hides: "linear"}), (6,))
    assert not any(each._forward_hooks for each in copy.copy(given).modules())


class Other(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.ones(6, 3))

    def forward(self, x):
        return torch.einsum("bi,io->bo", x, self.matrix)


@pytest.mark.parametrize(
    ("model", "nodes", "sentence"),
    [
        (None, {Hides: "linear"}, "^nodes: would do nothing without model="),
        (hidden, "linear", "^nodes: expected a kind for each class"),
        (hidden, {Hides: "lineal"}, "^nodes: expected Hides to be linear or product, got 'lineal'"),
        (hidden, {nn.Conv2d: "linear"}, "^nodes: Sequential has no layer of the class Conv2d"),
        (hidden, {"Hides": "linear"}, "^nodes: expected classes of layers"),
        (hidden, {Hides: "product"}, r"with weights \(5, 6\): expected 5 numbers to become 6, got 6 that become 5"),
        (Other, {Other: "linear"}, "^nodes: Other is to be linear: expected its weights, a matrix, as Other.weight"),
    ],
)
def test_what_cannot_be_is_refused(model, nodes, sentence):
    features = np.abs(np.random.default_rng(0).normal(size=(30, 6)))
    with pytest.raises(SettingError, match=sentence):
        distsearch.search(features, np.arange(30) % 3, model=model, nodes=nodes, rounds=1, workers=0)
