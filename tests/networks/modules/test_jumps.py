"""Whether a module's outputs jump where its weights move a little, which decides how far nodes are moved."""

from functools import partial

import pytest
import torch
from module_networks import made
from torch import nn

JUMPING = {
    "sign": torch.sign,
    "sign in place": lambda sums: sums.clone().sign_(),
    "greater": lambda sums: (sums > 0).float(),
    "greater, as a method": lambda sums: sums.greater(0).float(),
    "equal": lambda sums: (sums.round() == 0) * 1.0,
    "whole": lambda sums: sums.long().float(),
    "cast": lambda sums: sums.to(torch.int32).float(),
    "halves": lambda sums: sums // 0.5,
    "where": lambda sums: torch.where(sums > 0, 1.0, -1.0),
    "rounded with a gradient": lambda sums: sums + (sums.round() - sums).detach(),
}
SMOOTH = {
    "relu": torch.relu,
    "softmax": lambda sums: sums.softmax(-1),
    "largest": lambda sums: sums - sums.max(-1, keepdim=True).values,
    "spectrum": lambda sums: torch.fft.fft(sums).abs(),
    "clamped": lambda sums: sums.clamp(-1, 1),
}


class Activated(nn.Module):
    def __init__(self, activation: str) -> None:
        super().__init__()
        self.activation = (JUMPING | SMOOTH)[activation]
        self.first, self.second = nn.Linear(4, 6), nn.Linear(6, 3)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        known = inputs != 0  # of the data alone: no weights move it
        return self.second(self.activation(self.first(inputs * known)))


@pytest.mark.parametrize("activation", JUMPING)
def test_functions_that_jump_are_known_however_they_are_written(activation):
    assert made(partial(Activated, activation), (4,)).jumps


@pytest.mark.parametrize("activation", SMOOTH)
def test_others_do_not_jump_nor_does_what_looks_at_the_data_alone(activation):
    assert not made(partial(Activated, activation), (4,)).jumps
