"""Node perturbation of torch modules: what experiments say of the weights, beside what gradients say."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from module_networks import EXAMPLES, SIGMA, cosines, estimated, exact, inputs_of, made
from torch import nn
from torch_modules import Choosing, Pictures, Rounded, Stack, Words

from distsearch.objectives import losses
from distsearch.randomness import Stream, noise, signs


@pytest.mark.parametrize(
    ("factory", "shape", "repeats", "least"),
    [(Pictures, (6, 6, 2), 60, 0.85), (Words, (4,), 20, 0.8), (Rounded, (6,), 1, 0.98)],
)
def test_slopes_times_inputs_are_the_gradients(factory, shape, repeats, least):
    network = made(factory, shape)
    weights, inputs = network.start(None, 1), inputs_of(int(np.prod(shape)))
    labels = np.arange(EXAMPLES) % 3
    truth = exact(network, weights, inputs, labels)
    found = estimated(network, weights, inputs, labels, repeats)
    for name, cosine in cosines(network, found, truth).items():
        assert cosine > least, (name, cosine)
    place = network.parameters.placed[next(iter(network.parameters.placed))]
    sizes = [np.linalg.norm(place.read(each)) for each in (found, truth)]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.3)


def test_rounded_weights_have_the_gradient_of_what_they_are_rounded_to():
    network = made(Rounded, (6,))
    weights, inputs = network.start(None, 1), inputs_of(6)
    labels = np.arange(EXAMPLES) % 3
    found = network.parameters.placed["second.weight"].read(estimated(network, weights, inputs, labels))
    network.load(weights)
    x = network.examples(inputs)
    with torch.no_grad():
        current = sum(torch.tanh(network.module.first(x) * share) for share in (0.5, 1.0, 1.5))
        outputs = network.module(x)
        right = torch.softmax(outputs, 1) - F.one_hot(torch.from_numpy(labels), 3)
    np.testing.assert_allclose(found, (right.T @ current).numpy(), rtol=0.1, atol=0.05)


class Rearranged(nn.Module):
    """Uses its square matrix with its rows turned round, or its axes exchanged."""

    def __init__(self, how) -> None:
        super().__init__()
        self.weight, self.how = nn.Parameter(torch.randn(4, 4)), how

    def forward(self, x):
        return torch.tanh(x @ self.how(self.weight))[:, :3]


@pytest.mark.parametrize(
    ("how", "layers"),
    [
        (lambda weight: weight.permute(1, 0), 1),
        (lambda weight: weight.swapaxes(0, 1), 1),
        (lambda weight: weight.permute(0, 1), 1),
        (lambda weight: torch.tanh(weight), 1),
        (lambda weight: weight.flip(0), 0),
        (lambda weight: weight.roll(1, 1), 0),
        (lambda weight: weight[[1, 0, 3, 2]], 0),
        (lambda weight: weight.cumsum(0), 0),
    ],
)
def test_a_matrix_that_is_rearranged_is_no_layer_unless_its_axes_are_exchanged(how, layers):
    network = made(lambda: Rearranged(how), (4,))
    assert len(network.anatomy.layers) == layers
    weights, inputs, labels = network.start(None, 1), inputs_of(4), np.arange(EXAMPLES) % 3
    if layers:
        found = estimated(network, weights, inputs, labels)
        assert cosines(network, found, exact(network, weights, inputs, labels))["weight"] > 0.8


def test_layers_are_found_by_what_they_compute():
    kinds = [
        (each.layer.kind, each.layer.weight, each.nodes, each.places)
        for each in made(Pictures, (6, 6, 2)).anatomy.layers
    ]
    assert kinds == [
        ("convolution", "convolution.weight", 4, 9),
        ("normalisation", "group.weight", 4, 9),
        ("normalisation", "layer.weight", 36, 1),
        ("product", "matrix", 5, 1),
        ("linear", "outputs.weight", 3, 1),
    ]
    words = {each.layer.weight: each for each in made(Words, (4,)).anatomy.layers}
    assert (words["words.weight"].nodes, words["words.weight"].width, words["words.weight"].places) == (6, 9, 4)
    assert words["cell.weight"].calls == [0, 1, 2, 3]
    rounded = {each.layer.weight: each for each in made(Rounded, (6,)).anatomy.layers}
    assert (rounded["first.weight"].calls, rounded["first.weight"].places) == ([0, 0, 0], 1)  # they share their noise
    assert "second.weight" in rounded


def test_weights_outside_of_layers_come_last_and_are_moved_too():
    network = made(Pictures, (6, 6, 2))
    assert network.parameters.loose == network.weights_count - 4
    assert network.node_layers[-1].nodes == 4
    assert sum(layer.nodes * layer.width for layer in network.node_layers) == network.weights_count


def test_a_part_has_the_same_bits_whatever_else_is_computed():
    network = made(Pictures, (6, 6, 2))
    weights, inputs, labels = network.start(None, 1), inputs_of(72), np.arange(EXAMPLES) % 3
    moves = sum(layer.nodes * layer.places for layer in network.node_layers)
    ends = [0, 18, 36, 45, 72 + 7, moves]
    whole = estimated(network, weights, inputs, labels, ends=ends)
    again = estimated(made(Pictures, (6, 6, 2)), weights, inputs, labels, ends=ends)
    assert np.array_equal(whole, again)
    part = np.empty(network.weights_count, np.float32)
    targets = np.eye(3, dtype=np.float32)[labels].T
    experiments = network.experiments(
        weights, inputs, lambda outputs: losses.create("cross-entropy").each(outputs, targets)
    )
    drawn = signs(1, Stream.SIGNS, 0, 0, 0, moves, 64)[:, :EXAMPLES]
    rows = part[: 2 * network.node_layers[0].width]
    experiments.gradient(ends[1:3], drawn[18:36], SIGMA, None, rows)
    assert np.array_equal(rows, whole[len(rows) : 2 * len(rows)].astype(np.float32))


def test_a_stack_of_layers_has_the_gradients_that_numpy_finds():
    """The same weights in both engines, moved node by node by the same signs."""
    from distsearch.networks.kinds import dense_network

    network, dense = made(Stack, (64,), 10), dense_network(64, (16,), 10, "relu")
    weights, inputs = network.start(None, 1), inputs_of(64)
    assert dense.weights_count == network.weights_count
    labels = np.arange(EXAMPLES) % 10
    targets = np.eye(10, dtype=np.float32)[labels].T
    drawn = signs(1, Stream.SIGNS, 0, 0, 0, 26, 64)[:, :EXAMPLES]
    found = []
    for engine in (network, dense):
        experiments = engine.experiments(
            weights, inputs, lambda outputs: losses.create("cross-entropy").each(outputs, targets)
        )
        out = np.empty(weights.size, np.float32)
        experiments.gradient([0, 26], drawn, 0.3, None, out)
        found.append((experiments.losses, out))
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-4)
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-2, atol=2e-3)


def test_layers_that_see_only_some_of_the_examples_are_moved_as_weights():
    network = made(Choosing, (6,))
    assert [each.layer.weight for each in network.anatomy.layers] == ["gate.weight"]
    assert network.jumps
    weights, inputs, labels = network.start(None, 1), inputs_of(6), np.arange(EXAMPLES) % 3
    found = cosines(
        network,
        estimated(network, weights, inputs, labels, 12),
        exact(network, weights, inputs, labels),
    )
    assert min(found[name] for name in found if name.startswith("ways")) > 0.8


def test_frozen_parameters_are_not_searched():
    module = Stack()
    module[0].requires_grad_(False)
    network = made(module, (64,), 10)
    assert network.weights_count == 170
    assert set(network.named(network.start(None, 0))) == set(module.state_dict())
    assert np.array_equal(network.named(network.start(None, 0))["0.weight"], module[0].weight.numpy())


def test_the_first_weights_are_drawn_from_the_seed_and_the_user_s_generator_is_left_alone():
    network = made(Stack, (64,), 10)
    before = torch.get_rng_state()
    assert np.array_equal(network.start(None, 3), network.start(None, 3))
    assert not np.array_equal(network.start(None, 3), network.start(None, 4))
    assert torch.equal(before, torch.get_rng_state())


def test_tensors_are_the_module_s_state():
    network = made(nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)), (4,))
    weights = noise(1, Stream.START, 0, 0, 1, network.weights_count)[0]
    named = network.named(weights)
    module = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    module.load_state_dict({name: torch.from_numpy(each) for name, each in named.items()})
    assert np.array_equal(network.flat(named), weights)
    with pytest.raises(ValueError, match=r"1\.bias"):
        network.flat({name: each for name, each in named.items() if name != "1.bias"})
