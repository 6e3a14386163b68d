"""The rows' networks in torch, for others to train: from the same words, with the same hard functions.

Hard functions have no useful gradient. For Adam they can pass on that of a smooth one instead: of a sigmoid for spikes
and stairs, of a softmax for argmax, and straight-through for rounded weights and signs.
"""

import math
import re
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from distsearch.text import words
from nondiff.rows import Row

SIDE, CLASSES = 28, {"mnist": 10, "fashion-mnist": 10, "mnist-and-fashion-mnist": 20}
DECAY, THRESHOLD, STEEPNESS = 0.95, 1.0, 10.0
INT8_STEP = 0.01  # PolyStep's

Passing = Callable[[Tensor, Callable[[], Tensor]], Tensor]


def exactly(hard: Tensor, smooth: Callable[[], Tensor]) -> Tensor:
    """The hard function alone."""
    return hard


def with_surrogate(hard: Tensor, smooth: Callable[[], Tensor]) -> Tensor:
    """The hard function's values with the smooth one's gradient."""
    soft = smooth()
    return hard + (soft - soft.detach())


class Rounded(nn.Linear):
    """A dense layer of int8 or binary weights."""

    def __init__(self, inputs: int, outputs: int, precision: str, passing: Passing) -> None:
        super().__init__(inputs, outputs)
        self.passing = passing
        self.binary = precision == "binary"
        if not self.binary:
            nn.init.normal_(self.weight, std=0.1)
            nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(examples, inputs) -> (examples, outputs)"""
        if self.binary:
            scale = 1 / math.sqrt(self.in_features)
            weight = self.passing(torch.where(self.weight >= 0, scale, -scale), lambda: self.weight.clamp(-1, 1))
            return functional.linear(x, weight, self.bias)
        return functional.linear(x, self._int8(self.weight), self._int8(self.bias))

    def _int8(self, latent: Tensor) -> Tensor:
        return self.passing((latent / INT8_STEP).round().clamp(-128, 127) * INT8_STEP, lambda: latent)


class Staircase(nn.Module):
    """⌊5 · sigmoid(x)⌋ / 5."""

    def __init__(self, passing: Passing, levels: int = 5) -> None:
        super().__init__()
        self.passing, self.levels = passing, levels

    def forward(self, x: Tensor) -> Tensor:
        """Elementwise."""
        smooth = torch.sigmoid(x)
        return self.passing(torch.floor(smooth * self.levels) / self.levels, lambda: smooth)


class Sign(nn.Module):
    """1 or -1."""

    def __init__(self, passing: Passing) -> None:
        super().__init__()
        self.passing = passing

    def forward(self, x: Tensor) -> Tensor:
        """Elementwise."""
        return self.passing(torch.where(x >= 0, 1.0, -1.0), lambda: x.clamp(-1, 1))


def chosen(scores: Tensor, passing: Passing) -> Tensor:
    """Ones at the highest score of each example, (examples, choices)."""
    ones = functional.one_hot(scores.argmax(dim=-1), scores.shape[-1]).to(scores.dtype)
    return passing(ones, lambda: scores.softmax(dim=-1))


class Attention(nn.Module):
    """The values of the inputs, times the sigmoid of the key that is most similar to them."""

    def __init__(self, size: int, keys: int, passing: Passing) -> None:
        super().__init__()
        self.keys = nn.Parameter(torch.randn(keys, size) * 0.5)
        self.values = nn.Linear(size, size)
        self.passing = passing

    def forward(self, x: Tensor) -> Tensor:
        """(examples, size) -> (examples, size)"""
        return self.values(x) * torch.sigmoid(chosen(x @ self.keys.T, self.passing) @ self.keys)


class Mixture(nn.Module):
    """The outputs of the expert that the gate picks."""

    def __init__(self, inputs: int, experts: int, sizes: list[int], passing: Passing) -> None:
        super().__init__()
        self.gate = nn.Linear(inputs, experts)
        self.experts = nn.ModuleList(_expert([inputs, *sizes]) for _ in range(experts))
        self.passing = passing

    def forward(self, x: Tensor) -> Tensor:
        """(examples, inputs) -> (examples, outputs)"""
        outputs = torch.stack([expert(x) for expert in self.experts], dim=-2)  # (examples, experts, outputs)
        return (outputs * chosen(self.gate(x), self.passing).unsqueeze(-1)).sum(dim=-2)


def _expert(sizes: list[int]) -> nn.Sequential:
    parts: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        parts += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*parts[:-1])


class Spiking(nn.Module):
    """Stages of leaky integrate-and-fire neurons, fed by a constant current; the outputs are counts of spikes."""

    def __init__(self, stages: list[nn.Module], steps: int, passing: Passing) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)
        self.steps, self.passing = steps, passing

    def forward(self, x: Tensor) -> Tensor:
        """(examples, …) -> (examples, outputs)"""
        constant = self.stages[0](x)
        membranes: list[Tensor | float] = [0.0] * len(self.stages)
        counts: Tensor | float = 0.0
        for _ in range(self.steps):
            below = constant
            for number, stage in enumerate(self.stages):
                current = stage(below) if number else constant
                below, membranes[number] = self._fire(membranes[number] * DECAY + current)
            counts = counts + below
        return counts

    def _fire(self, membrane: Tensor) -> tuple[Tensor, Tensor]:
        hard = (membrane >= THRESHOLD).to(membrane.dtype)
        spikes = self.passing(hard, lambda: torch.sigmoid((membrane - THRESHOLD) * STEEPNESS))
        return spikes, membrane * (1 - spikes)


class Builder:
    """Puts a row's network together, word by word."""

    def __init__(self, row: Row, passing: Passing) -> None:
        self.passing = passing
        self.activation = str(row.flags.get("activation", "relu"))
        self.precisions = str(row.flags.get("precision", "float32")).split(",")
        self.shape: tuple[int, ...] = (1, SIDE, SIDE)
        self.stages: list[list[nn.Module]] = []
        self.activated: list[bool] = []
        for word in [*words(str(row.flags["layers"])), CLASSES[row.data]]:
            self._add(str(word))

    def _add(self, word: str) -> None:
        if match := re.fullmatch(r"pool(\d+)", word):
            size = int(match[1])
            self.stages[-1].append(nn.MaxPool2d(size))
            channels, height, width = self.shape
            self.shape = channels, height // size, width // size
            return
        if match := re.fullmatch(r"conv(\d+)x(\d+)", word):
            channels, size = int(match[1]), int(match[2])
            part: nn.Module = nn.Conv2d(self.shape[0], channels, size)
            self.shape = channels, self.shape[1] - size + 1, self.shape[2] - size + 1
            self._stage(part)
        elif match := re.fullmatch(r"attention(\d+)", word):
            self._stage(Attention(self.shape[0], int(match[1]), self.passing), activated=False)
        elif match := re.fullmatch(r"moe(\d+)\((.*)\)", word):
            sizes = [int(size) for size in match[2].split(",")]
            self._stage(Mixture(self.shape[0], int(match[1]), sizes, self.passing), activated=False)
            self.shape = (sizes[-1],)
        else:
            self._dense(int(word))

    def _dense(self, outputs: int) -> None:
        inputs = math.prod(self.shape)
        precision = self.precisions[min(len(self.stages), len(self.precisions) - 1)]
        rounded = precision != "float32"
        dense = Rounded(inputs, outputs, precision, self.passing) if rounded else nn.Linear(inputs, outputs)
        self._stage(*([nn.Flatten()] if len(self.shape) > 1 else []), dense)
        self.shape = (outputs,)

    def _stage(self, *parts: nn.Module, activated: bool = True) -> None:
        self.stages.append(list(parts))
        self.activated.append(activated)

    def built(self, steps: int) -> nn.Module:
        """The network; `steps` in time if it spikes."""
        if self.activation == "lif":
            return Spiking([nn.Sequential(*stage) for stage in self.stages], steps, self.passing)
        parts: list[nn.Module] = []
        for stage, activated in zip(self.stages, self.activated, strict=True):
            parts += [*stage, *([self._activation()] if activated else [])]
        return nn.Sequential(*parts[:-1])  # none after the outputs

    def _activation(self) -> nn.Module:
        match self.activation:
            case "staircase":
                return Staircase(self.passing)
            case "sign":
                return Sign(self.passing)
        return nn.ReLU()


def network_of(row: Row, passing: Passing = exactly) -> nn.Module:
    """The network of a row, for images (examples, 1, 28, 28)."""
    return Builder(row, passing).built(int(row.flags.get("time_steps", 15)))
