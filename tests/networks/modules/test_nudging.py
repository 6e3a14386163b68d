"""Low-rank noise in a module's layers: what noise in its weights does, without a matrix of it."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from module_networks import inputs_of, made
from torch import nn
from torch_modules import Pictures, Rounded, Stack, Words

from distsearch.candidates.base import Dense, Shared
from distsearch.candidates.pairs import LowRank, Pairs, Products, factors_width
from distsearch.networks.modules.nudging import Nudging
from distsearch.randomness import Stream, noise

RANK = 2


class Others(nn.Module):
    """Parameters used in ways that are no layers, and a recurrent layer whose weights torch uses itself."""

    def __init__(self) -> None:
        super().__init__()
        self.outputs = nn.Linear(6, 3)
        self.outputs.weight = nn.Parameter(torch.randn(3, 6))
        self.steps = nn.GRU(2, 3, batch_first=True)
        self.gates = nn.Parameter(torch.randn(6))
        self.table = nn.Parameter(torch.randn(6, 6))

    def forward(self, x):
        hidden = torch.tanh(x * self.gates @ self.table) + F.linear(x, self.table)
        seen = self.steps(x.reshape(-1, 3, 2))[0][:, -1]
        return self.outputs(hidden) + seen + self.outputs.weight.mean()


CASES = [
    (Stack, (64,), 10),
    (Pictures, (6, 6, 2), 3),
    (Words, (5,), 3),
    (Rounded, (6,), 3),
    (Others, (6,), 3),
    (lambda: nn.Sequential(nn.Unflatten(1, (2, 6)), nn.Conv1d(2, 3, 3, padding="same"), nn.Flatten()), (12,), 18),
]


def low_rank(network, lo=0, hi=5, sigma=0.3):
    center = network.start(None, 3)
    factors = noise(1, Stream.CANDIDATES, 0, 0, 2, factors_width(network.blocks, RANK))
    return LowRank(Pairs(lo, hi), center, Products(), network.blocks, factors[: hi // 2], RANK, sigma)


@pytest.mark.parametrize(("factory", "shape", "outputs"), CASES)
def test_candidates_are_what_they_are_with_their_weights_made(factory, shape, outputs):
    network = made(factory, shape, outputs)
    assert network.nudged
    candidates, inputs = low_rank(network), Shared(inputs_of(int(np.prod(shape))))
    found = network.forward(candidates, inputs).copy()
    expected = network.forward(Dense(candidates.dense()), inputs)
    if factory is Rounded:  # the last bits decide about rounding
        assert np.isclose(found, expected, rtol=1e-3, atol=1e-4).mean() > 0.97
    else:
        np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-4)
    assert np.array_equal(found[0], expected[0])
    assert not np.allclose(found[1], found[2], atol=1e-3)


def test_a_candidate_s_bits_do_not_depend_on_those_beside_it():
    network, inputs = made(Words, (5,)), Shared(inputs_of(5))
    whole = network.forward(low_rank(network), inputs).copy()
    assert np.array_equal(network.forward(low_rank(network, 1, 3), inputs), whole[1:3])


def test_no_matrix_of_a_layer_is_made(monkeypatch):
    network, made_in_full = made(Words, (5,)), []
    whole = Nudging._moved
    named = {id(each): name for name, each in network.trained.items()}

    def watched(self, tensor):
        if id(tensor) in self._places:
            made_in_full.append(named[id(tensor)])
        return whole(self, tensor)

    monkeypatch.setattr(Nudging, "_moved", watched)
    candidates = low_rank(network)
    named |= {id(each): name for name, each in network.trained.items()}
    monkeypatch.setattr(LowRank, "dense", lambda self: pytest.fail("all weights of candidates were made"))
    network.forward(candidates, Shared(inputs_of(5)))
    assert {name for name in made_in_full if name.endswith("weight")} == set()
    assert {name for name in made_in_full if name.endswith("bias")} != set()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own word on its traces
def test_compiled_code_has_its_weights_made():
    def compiled() -> nn.Module:
        return nn.Sequential(torch.jit.trace(nn.Linear(6, 3), torch.zeros(2, 6)))

    network, inputs = made(compiled, (6,)), Shared(inputs_of(6))
    assert not network.nudged
    candidates = low_rank(network)
    found = network.forward(candidates, inputs).copy()
    assert np.array_equal(found, network.forward(Dense(candidates.dense()), inputs))
