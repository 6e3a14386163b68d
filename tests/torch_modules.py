"""Modules that tests search, importable by name as a user's are."""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import nn

from distsearch.networks.modules.lora import add_adapters


class Stack(nn.Sequential):
    """As the network of layers 16 with relu; it changes its sums in place."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(64, 16), nn.ReLU(inplace=True), nn.Linear(16, 10))


class Pictures(nn.Module):
    """A convolution, both normalisations, a product, and weights that belong to no layer."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(2, 4, 3, stride=2, padding=1)
        self.group = nn.GroupNorm(2, 4)
        self.position = nn.Parameter(torch.zeros(4, 1, 1))
        self.layer = nn.LayerNorm(36)
        self.matrix = nn.Parameter(torch.randn(36, 5) / 6)
        self.outputs = nn.Linear(5, 3, bias=False)

    def forward(self, x):
        hidden = torch.tanh(self.group(self.convolution(x)) + self.position).flatten(1)
        return self.outputs(torch.tanh(self.layer(hidden) @ self.matrix))


class Words(nn.Module):
    """An embedding, attention, and a recurrent layer that is called for each word."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(9, 6)
        self.queries, self.keys, self.values = nn.Linear(6, 6), nn.Linear(6, 6, bias=False), nn.Linear(6, 6)
        self.cell = nn.Linear(10, 4)
        self.outputs = nn.Linear(4, 3)

    def forward(self, x):
        words = self.words(x.long())
        seen = torch.softmax(self.queries(words) @ self.keys(words).transpose(1, 2), -1) @ self.values(words)
        state = torch.zeros(x.shape[0], 4)
        for step in range(words.shape[1]):
            state = torch.tanh(self.cell(torch.cat([seen[:, step], state], 1)))
        return self.outputs(state)


class Rows(nn.Module):
    """An LSTM that reads pictures of 8 × 8 row by row."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.outputs = nn.LSTM(8, 6, batch_first=True), nn.Linear(6, 10)

    def forward(self, x):
        return self.outputs(self.layer(x.view(-1, 8, 8))[0][:, -1])


class Rounded(nn.Module):
    """Weights in steps of a hundredth, and the same inputs seen three times by one layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(6, 5), nn.Linear(5, 3)

    def forward(self, x):
        current = sum(torch.tanh(self.first(x) * share) for share in (0.5, 1.0, 1.5))
        return F.linear(current, (self.second.weight * 100).round() / 100, self.second.bias)


class Choosing(nn.Module):
    """Each example is sent to one of two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.ways = nn.Linear(6, 2), nn.ModuleList([nn.Linear(6, 3), nn.Linear(6, 3)])

    def forward(self, x):
        chosen, outputs = self.gate(x).argmax(1), torch.zeros(len(x), 3)
        for number, way in enumerate(self.ways):
            if (chosen == number).any():
                outputs[chosen == number] = way(x[chosen == number])
        return outputs


class _OneLayer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 3)


class Noisy(_OneLayer):
    def forward(self, x):
        return self.layer(x + torch.randn_like(x))


class Counting(_OneLayer):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, x):
        self.calls += 1
        return self.layer(x)


class Remembering(_OneLayer):
    calls = 0.0

    def forward(self, x):
        self.calls += 1.0
        return self.layer(x) + self.calls


class Centred(_OneLayer):
    def forward(self, x):
        return self.layer(x - x.mean(0))


class Differentiating(_OneLayer):
    def forward(self, x):
        return torch.autograd.grad(self.layer(x).sum(), self.layer.weight)[0]


class Wide(_OneLayer):
    def forward(self, x):
        return torch.cat([self.layer(x), self.layer(x)], 1)


class Several(_OneLayer):
    def forward(self, x):
        return self.layer(x), x


class Bare(nn.Module):
    def forward(self, x):
        return x[:, :3]


class Indexing(_OneLayer):
    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(9, 6)

    def forward(self, x):
        return self.layer(self.words(x).sum(1))


def failing():
    raise ValueError("no weights today")


def nothing():
    return 3


def with_arguments(width):
    return nn.Linear(width, 3)


class Softened(nn.Module):
    """What behaves otherwise when it is trained."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Dropout(0.5), nn.Linear(5, 3))

    def forward(self, x):
        return self.layer(x)


class TunedHead(nn.Module):
    """A base that was trained elsewhere and stays as it is, and a head that is searched."""

    def __init__(self) -> None:
        super().__init__()
        self.base, self.head = nn.Linear(64, 16), nn.Linear(16, 10)
        with torch.random.fork_rng():
            torch.manual_seed(7)
            nn.init.normal_(self.base.weight, std=0.3)
            nn.init.normal_(self.base.bias)
        self.base.requires_grad_(False)

    def forward(self, x):
        return self.head(torch.relu(self.base(x)))


def adapted():
    """Stack with adapters of rank 2 around 8-bit layers."""
    return add_adapters(Stack(), 2, alpha=4, bits=8)


class Walker(nn.Module):
    """Says which way to go, and is never called on the data itself."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 1)

    def forward(self, position, goal):
        return self.layer(torch.stack([position, goal], 1))[:, 0]


def walked(module, batch):
    """How far from its goal a walker ends that is pushed about at random: inputs are starts and goals."""
    position, goal = batch.inputs[:, 0], batch.inputs[:, 1]
    for _ in range(4):
        position = position + module(position, goal) + 0.01 * torch.randn(len(position))
    return (position - goal - batch.targets).abs()


walked.takes_module = True


class Hides(nn.Linear):
    """Computed by an operation that is not seen to be a layer."""

    def forward(self, x):
        return torch.einsum("bi,oi->bo", x, self.weight) + self.bias


class Hidden(nn.Sequential):
    """Such layers, declared."""

    nodes: ClassVar = {Hides: "linear"}

    def __init__(self) -> None:
        super().__init__(Hides(6, 5), nn.Tanh(), Hides(5, 3))


class Fourier(nn.Module):
    """Draws frequencies that are no part of its state."""

    def __init__(self) -> None:
        super().__init__()
        self.frequencies = torch.randn(64, 8)
        self.register_buffer("phases", torch.rand(8), persistent=False)
        self.outputs = nn.Linear(8, 10)

    def forward(self, x):
        return self.outputs(torch.sin(x @ self.frequencies + self.phases))
