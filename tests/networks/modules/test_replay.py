"""Passes that are done again from a record, beside the module's own Python with the same moves."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from module_networks import EXAMPLES, experiments_of, gradient, made
from torch import nn
from torch_modules import Choosing, Pictures, Rounded, Stack, Words

from distsearch.networks.modules.columns import Columns
from distsearch.networks.modules.tape import Recording


class Passing(nn.Module):
    """Changed columns meet whole tensors, other columns, numbers of no axis, and shapes that broadcast."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = nn.Linear(6, 5), nn.Linear(5, 5), nn.Linear(5, 3)
        self.scale = nn.Parameter(torch.tensor(1.5))
        self.register_buffer("heights", torch.linspace(-1, 1, 5))

    def forward(self, x):
        hidden = torch.floor(4 * torch.sigmoid(self.first(x))) / 4
        hidden += self.heights
        share = hidden * torch.tanh(hidden) + 1 / (2 + hidden**2)
        kept = share + self.scale * self.second(share) * (share.view(torch.int32) > 0)
        return self.third(kept - kept.mean(1, keepdim=True)) @ torch.eye(3)


class Asking(nn.Module):
    """Python decides, by a value, what is computed."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(6, 5), nn.Linear(5, 3)

    def forward(self, x):
        hidden = self.first(x)
        return self.second(torch.tanh(hidden) if hidden.max() > 0 else hidden)


class Writing(Asking):
    """Writes into a part of a tensor that is used afterwards."""

    def forward(self, x):
        hidden = self.first(x)
        hidden[:, 0] = 0
        return self.second(hidden)


class Viewing(Asking):
    """Changes a tensor through another view of it."""

    def forward(self, x):
        hidden = self.first(x)
        hidden.view(-1).relu_()
        return self.second(hidden)


class Hiding(Asking):
    """A part of it is computed where nobody sees it, as compiled code is."""

    def forward(self, x):
        hidden = self.first(x)
        with torch._C.DisableTorchFunction():
            hidden = torch.tanh(2 * hidden)
        return self.second(hidden)


class Squared(Asking):
    """Both factors of a product are moved."""

    def forward(self, x):
        each = self.first(x)[:, :, None]
        return self.second(torch.tanh((each @ each.transpose(1, 2)).sum(2)))


@pytest.mark.parametrize("groups", [None, 2])
@pytest.mark.parametrize(
    ("factory", "shape", "outputs"),
    [
        (Stack, (64,), 10),
        (Pictures, (6, 6, 2), 3),
        (Words, (4,), 3),
        (Rounded, (6,), 3),
        (Passing, (6,), 3),
        (Squared, (6,), 3),
    ],
)
def test_a_record_gives_what_the_module_s_python_gives(factory, shape, outputs, groups):
    experiments = experiments_of(factory, shape, outputs)
    assert experiments._replay is not None
    together = gradient(experiments, groups, 0.3)
    experiments._replay = None
    one_by_one = gradient(experiments, groups, 0.3)
    assert np.any(one_by_one)
    np.testing.assert_allclose(together, one_by_one, rtol=1e-3, atol=2e-4 * np.abs(one_by_one).max())


@pytest.mark.parametrize("factory", [Asking, Writing, Viewing, Hiding, Choosing])
def test_where_other_things_decide_a_record_does_not_hold(factory):
    experiments = experiments_of(factory, (6,), 3)
    assert experiments._replay is None
    assert np.any(gradient(experiments, None, 0.01))


def test_what_is_changed_in_place_is_kept_as_it_was():
    module = nn.Sequential(nn.Linear(4, 3), nn.ReLU(inplace=True))
    recording, inputs = Recording({}, set(), [x := torch.randn(5, 4)]), x
    with torch.no_grad(), recording:
        outputs = module(inputs)
    assert recording.holds
    before = recording.values[1]
    assert (before < 0).any()
    assert torch.equal(torch.relu(before), outputs)


def test_a_node_is_paid_for_as_the_column_that_it_changes():
    """What is above the first layer: a column of tanh, and a row of the second layer's weights."""
    network = made(lambda: nn.Sequential(nn.Linear(6, 50), nn.Tanh(), nn.Linear(50, 3)), (6,))
    first, last = network.anatomy.layers
    assert (first.price, last.price) == (8 + 3, 0)


class Experts(nn.Module):
    """Of three experts a gate picks one, whose outputs are multiplied by one; and sums, means, softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.gate = nn.Linear(6, 5), nn.Linear(5, 3)
        self.experts = nn.ModuleList(nn.Sequential(nn.Linear(5, 5), nn.Tanh(), nn.Linear(5, 4)) for _ in range(3))
        self.keys = nn.Parameter(torch.randn(4, 4))
        self.outputs = nn.Linear(4, 3)

    def forward(self, x):
        hidden = torch.tanh(self.first(x))
        chosen = F.one_hot(self.gate(hidden).argmax(-1), 3).float()
        stacked = torch.stack([each(hidden) for each in self.experts], dim=1)  # (examples, experts, features)
        mixed = (
            (stacked * chosen.unsqueeze(-1)).sum(dim=1) + 0.1 * stacked.mean(1) + 0.1 * stacked.mean(-1).sum(1, True)
        )
        shares = torch.softmax(mixed @ self.keys.T, 1) @ self.keys
        mixed = mixed * (1 + (hidden > 0).sum(1, keepdim=True))
        beside = torch.stack([mixed, shares, torch.ones_like(mixed)], -1).sum(-1)
        rows = torch.stack([mixed, shares], 1)
        picked = rows.gather(1, shares.argmax(1)[:, None, None].expand(-1, 1, 4) % 2)
        beside = beside + picked.expand_as(rows).flatten(1).view(-1, 2, 4).sum(1)
        return self.outputs(beside + (rows @ rows.transpose(1, 2)).sum(2).mean(1, keepdim=True))


@pytest.mark.parametrize("groups", [None, 2])
def test_experts_are_moved_as_columns_with_the_same_slopes(groups):
    experiments = experiments_of(Experts, (6,), 3)
    assert experiments._replay is not None
    together = gradient(experiments, groups, 0.1)
    experiments._replay = None
    one_by_one = gradient(experiments, groups, 0.1)
    np.testing.assert_allclose(together, one_by_one, rtol=1e-3, atol=2e-4 * np.abs(one_by_one).max())


def test_what_moves_one_expert_s_outputs_never_becomes_whole_before_the_sum(monkeypatch):
    experiments = experiments_of(Experts, (6,), 3)
    made_whole = []
    filled = Columns.filled
    monkeypatch.setattr(Columns, "filled", lambda self, base: made_whole.append(base.shape) or filled(self, base))
    last = next(n for n, each in enumerate(experiments._subject.layers) if each.layer.weight == "experts.1.2.weight")
    moves, places = experiments._moves(experiments._subject.layers[last], slice(0, 4))
    steps = torch.full((4, 1, EXAMPLES), 0.1)
    (alike, _) = moves.experiments(1, 1)
    added = moves.added(alike, steps)
    experiments._with_nodes_moved(dict(zip(places, added, strict=True)), experiments._whole)
    assert (EXAMPLES, 3, 4) not in [tuple(shape) for shape in made_whole]


@pytest.mark.parametrize(("factory", "shape", "outputs"), [(Stack, (64,), 10), (Passing, (6,), 3), (Experts, (6,), 3)])
def test_what_is_written_over_changes_no_bit(factory, shape, outputs):
    experiments = experiments_of(factory, shape, outputs)
    assert experiments._replay.plan.overwriting
    found = gradient(experiments, None, 0.3)
    again = gradient(experiments, None, 0.3)
    experiments._replay.plan.overwriting = set()
    assert found.tobytes() == again.tobytes() == gradient(experiments, None, 0.3).tobytes()
