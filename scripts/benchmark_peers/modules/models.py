"""The modules, as anybody would write them, for images (examples, 1, 28, 28): ours and others search the same.

Those of the race over networks without gradients are as there; two more read an image as a sequence of 28 rows.
"""

import torch
from nondiff.models import CLASSES, SIDE, network_of
from nondiff.rows import MNIST, ROWS
from torch import Tensor, nn


def staircase() -> nn.Module:
    """784-128-128-10 with activations in five stairs."""
    return network_of(ROWS["staircase"])


def attention() -> nn.Module:
    """784-128, argmax attention of 8 keys, 10."""
    return network_of(ROWS["attention"])


def mixture() -> nn.Module:
    """784-128, one of 4 experts picked by argmax, 20."""
    return network_of(ROWS["mixture"])


class Recurrent(nn.Module):
    """An LSTM that reads the rows from top to bottom; a layer on its states after every row."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.rows = nn.LSTM(SIDE, width, batch_first=True)
        self.outputs = nn.Linear(SIDE * width, CLASSES[MNIST])

    def forward(self, x: Tensor) -> Tensor:
        """(examples, 1, 28, 28) -> (examples, classes)"""
        return self.outputs(self.rows(x.flatten(1, 2))[0].flatten(1))


class Transformer(nn.Module):
    """A small transformer whose attention is hard: every row looks at the one row that its query likes best.

    A one-hot position beside each row: its weights are a table of positions that is added to the rows.
    """

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.rows = nn.Linear(2 * SIDE, width)
        self.register_buffer("positions", torch.eye(SIDE))
        self.queries, self.keys = nn.Linear(width, width, bias=False), nn.Linear(width, width, bias=False)
        self.values = nn.Linear(width, width)
        self.normal = nn.LayerNorm(width)
        self.between = nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))
        self.outputs = nn.Linear(SIDE * width, CLASSES[MNIST])

    def forward(self, x: Tensor) -> Tensor:
        """(examples, 1, 28, 28) -> (examples, classes)"""
        rows = x.flatten(1, 2)
        rows = self.rows(torch.cat([rows, self.positions.expand_as(rows)], -1))
        chosen = (self.queries(rows) @ self.keys(rows).transpose(1, 2)).argmax(-1)  # (examples, rows)
        seen = self.values(rows).gather(1, chosen.unsqueeze(-1).expand_as(rows))
        rows = self.normal(rows + seen)
        return self.outputs((rows + self.between(rows)).flatten(1))


def made(name: str) -> nn.Module:
    """The module of a row."""
    return {
        "staircase": staircase,
        "attention": attention,
        "mixture": mixture,
        "lstm": Recurrent,
        "transformer": Transformer,
    }[name]()
