"""Modules that pick one of several results for each example: only that one is computed, with the same slopes."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from module_networks import EXAMPLES, experiments_of, gradient, inputs_of, made
from torch import nn

from distsearch.networks.modules import replay
from distsearch.networks.modules.columns import Rows
from distsearch.objectives import losses
from distsearch.objectives.batches import Batches, Columns
from distsearch.objectives.network import NetworkObjective
from distsearch.randomness import Stream, signs


class Picking(nn.Module):
    """A gate picks one of three experts, whose outputs are stacked, multiplied by a one or zeros, and summed up."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.gate = nn.Linear(6, 5), nn.Linear(5, 3)
        self.experts = nn.ModuleList(nn.Sequential(nn.Linear(5, 5), nn.Tanh(), nn.Linear(5, 4)) for _ in range(3))
        self.outputs = nn.Linear(4, 3)

    def forward(self, x):
        hidden = torch.tanh(self.first(x))
        return self.outputs(torch.tanh(self.picked(hidden, self.gate(hidden).argmax(-1))))

    def picked(self, hidden, choice):
        stacked = torch.stack([each(hidden) for each in self.experts], dim=-2)
        return (stacked * F.one_hot(choice, 3).float().unsqueeze(-1)).sum(dim=-2)


class Weighing(Picking):
    """What is picked is multiplied by two, and by other numbers for other features."""

    def picked(self, hidden, choice):
        stacked = torch.stack([torch.sin(each(hidden)) for each in self.experts], dim=1)
        return (stacked * (F.one_hot(choice, 3)[:, :, None] * torch.tensor([2, 1, -1, 3]))).sum(1)


class Gathering(Picking):
    """What is picked is gathered by its number, from results that are stacked."""

    def picked(self, hidden, choice):
        stacked = torch.stack([each(hidden) for each in self.experts], dim=1)
        return stacked.gather(1, choice[:, None, None].expand(-1, 1, 4)).squeeze(1)


class Multiplying(Picking):
    """Each expert's outputs are multiplied by truths, and added up."""

    def picked(self, hidden, choice):
        return sum(each(hidden) * (choice == number).float()[:, None] for number, each in enumerate(self.experts))


class Replacing(Picking):
    """Each expert's outputs take the place of the others' where it is picked; the inputs are what is left."""

    def picked(self, hidden, choice):
        found = hidden[:, :4] * 2
        for number, each in enumerate(self.experts[:2]):
            found = torch.where((choice == number).unsqueeze(-1), each(hidden), found)
        return found


class Skipping(Picking):
    """Some features of the only expert's outputs are picked, the others are not."""

    def picked(self, hidden, choice):
        return torch.where(hidden[:, :4] > 0, self.experts[0](hidden), torch.tanh(hidden[:, 1:] * 3))


class Fixed(Picking):
    """A parameter decides, not the example."""

    def __init__(self) -> None:
        super().__init__()
        self.signs = nn.Parameter(torch.tensor([1.0, -1.0, 1.0, -1.0]))

    def picked(self, hidden, choice):
        return torch.where(self.signs > 0, self.experts[0](hidden), torch.tanh(hidden[:, 1:] * 3))


class Sized(Picking):
    """A constant has a row for each example."""

    def picked(self, hidden, choice):
        return torch.where((choice == 0)[:, None], self.experts[0](hidden), torch.ones(len(hidden), 4))


def slopes_of(experiments, groups) -> tuple[np.ndarray, np.ndarray]:
    """By a record, and by the module's own Python."""
    found = gradient(experiments, groups, 0.3)
    experiments._replay = None
    experiments.__dict__.pop("_parts", None)
    return found, gradient(experiments, groups, 0.3)


@pytest.mark.parametrize("groups", [None, 2])
@pytest.mark.parametrize("factory", [Picking, Weighing, Gathering, Multiplying, Replacing, Skipping, Fixed, Sized])
def test_what_is_picked_is_moved_with_the_same_slopes(factory, groups):
    experiments = experiments_of(factory, (6,), 3)
    assert experiments._replay is not None
    found, expected = slopes_of(experiments, groups)
    assert np.any(expected)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=2e-4 * np.abs(expected).max())


@pytest.mark.parametrize("factory", [Picking, Gathering, Multiplying, Replacing])
def test_examples_are_divided_by_what_is_picked_for_them(factory):
    parts = experiments_of(factory, (6,), 3)._parts
    assert len(parts) > 1
    assert sorted(torch.cat([part.examples for part in parts]).tolist()) == list(range(EXAMPLES))


def test_examples_stay_together_where_a_constant_has_a_row_for_each():
    assert experiments_of(Sized, (6,), 3)._parts == []


def test_an_expert_is_computed_for_the_examples_that_it_is_picked_for(monkeypatch):
    """Above the first layer: its own part, for every move, and for others where a move of the layer picks it."""
    experiments = experiments_of(Picking, (6,), 3)
    multiplied = []
    linear = F.linear
    monkeypatch.setattr(
        replay.F, "linear", lambda x, *more: multiplied.append(x.numel() // x.shape[-1]) or linear(x, *more)
    )
    layer = next(each for each in experiments._subject.layers if each.layer.weight == "first.weight")
    moves, places = experiments._moves(layer, slice(0, 5))
    steps = torch.full((5, 1, EXAMPLES), 0.3)
    slopes = torch.zeros_like(steps)
    assert experiments._measure_parts(moves.experiments(1, 1), moves, places, steps, slopes)
    assert sum(multiplied) == 2 * 5 * EXAMPLES  # the picked expert's second layer, and the outputs


def test_moves_that_only_the_gate_sees_change_a_few_examples():
    experiments = experiments_of(Picking, (6,), 3)
    layer = next(each for each in experiments._subject.layers if each.layer.weight == "gate.weight")
    moves, places = experiments._moves(layer, slice(0, 3))
    (alike, _) = moves.experiments(1, 1)
    added = moves.added(alike, torch.full((3, 1, EXAMPLES), 0.01))
    outputs = experiments._with_nodes_moved(dict(zip(places, added, strict=True)), experiments._whole)
    assert isinstance(outputs, Rows)
    assert len(outputs.examples) < 3 * EXAMPLES / 4


def test_an_expert_s_steps_are_paid_for_by_the_examples_that_it_is_picked_for():
    """Elementwise operations cost 8 an element; of tanh of the first layer, and of products with it, a column."""
    anatomy = made(Picking, (6,)).anatomy
    decision, experts, joined, outputs = 3 + 8 + 3 * 24, 3 * (5 + 8 * 5 + 4 * 5) / 3, 2 * 8 * 12 + 8 * 4, 8 * 4 + 12
    assert anatomy.choices == 3
    assert anatomy.layers[0].price == pytest.approx(8 + decision + experts + joined + outputs)


def test_a_record_that_differs_for_parts_of_the_examples_is_not_divided(monkeypatch):
    monkeypatch.setattr(replay, "left_out", lambda found, values: {term.steps[-1] for term in found[0].terms})
    assert experiments_of(Picking, (6,), 3)._parts == []


@pytest.mark.parametrize("name", ["cross-entropy", "expected-cost"])
def test_parts_have_the_losses_of_their_own_examples(name):
    """Also where examples have weights, or the loss is one that a stand-in is derived for."""
    network = made(Picking, (6,))
    targets = np.eye(3, dtype=np.float32)[:, np.arange(EXAMPLES) % 3]
    weights = np.linspace(0.5, 1.5, EXAMPLES, dtype=np.float32)
    objective = NetworkObjective(
        network, losses.create(name), Batches(Columns(inputs_of(6), targets, weights)), classes=True
    )
    experiments = objective.experiments(network.start(None, 1), 0, slice(0, EXAMPLES))
    assert len(experiments._parts) > 1
    found, expected = slopes_of(experiments, None)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=2e-4 * np.abs(expected).max())


@pytest.mark.parametrize("factory", [Picking, Replacing])
def test_the_bits_of_some_nodes_do_not_depend_on_what_else_is_moved(factory):
    experiments = experiments_of(factory, (6,), 3)
    layers = experiments._subject.priced
    moves, weights = sum(each.nodes for each in layers[:2]), sum(each.nodes * each.width for each in layers[:2])
    drawn = signs(1, Stream.SIGNS, 0, 0, 0, sum(each.nodes for each in layers), 64)[:, :EXAMPLES]
    both, first, second = (np.empty(experiments._subject.parameters.count, np.float32) for _ in range(3))
    experiments.gradient([0, moves, len(drawn)], drawn, 0.3, None, both)
    again = experiments_of(factory, (6,), 3)
    again.gradient([moves, len(drawn)], drawn[moves:], 0.3, None, second[weights:])
    again.gradient([0, moves], drawn[:moves], 0.3, None, first[:weights])
    assert both.tobytes() == first[:weights].tobytes() + second[weights:].tobytes()
