"""The rows of the race: a network each, our flags, the aims, and what others have published.

PolyStep: arXiv 2605.01928 (TMLR 2026); accuracies from the README of polystep 1.1.0, seconds from the runs in its
repository (experiments/results/softmax/main, five seeds, their median and range). Its Adam trains a smooth stand-in for
the network. Its argmax attention learnt Fashion-MNIST, not MNIST (experiments/runners/run_elevation.py), so that row
stands here twice.
"""

import shlex
from dataclasses import dataclass
from typing import Any

from distsearch.config import RunConfig, from_flags
from distsearch.text import words

MNIST, FASHION, BOTH = "mnist", "fashion-mnist", "mnist-and-fashion-mnist"
POLYSTEP, RTX = "PolyStep", "RTX 5090"


@dataclass(frozen=True)
class Published:
    """A result of others, on their hardware."""

    who: str
    accuracy: float
    hardware: str = ""
    seconds: float | None = None  # median
    fastest: float | None = None
    slowest: float | None = None

    @property
    def text(self) -> str:
        """Who, on what."""
        return f"{self.who}, {self.hardware}" if self.hardware else self.who


@dataclass(frozen=True)
class Aim:
    """An accuracy on the test set, and the seconds of search that it may take."""

    accuracy: float
    seconds: float


@dataclass(frozen=True)
class Row:
    """A network of the race."""

    name: str
    title: str
    data: str  # MNIST, FASHION or BOTH
    flags: dict[str, str | int | float | bool]  # of distsearch, as typed
    aims: tuple[Aim, ...]  # the last one takes longest: it is what our search is given
    published: tuple[Published, ...] = ()

    @property
    def seconds(self) -> float:
        """The seconds that our search is given."""
        return self.aims[-1].seconds

    @property
    def polystep(self) -> float | None:
        """The accuracy that PolyStep has published."""
        return next((each.accuracy for each in self.published if each.who == POLYSTEP), None)

    def config(self, folder: str, seed: int, workers: int) -> RunConfig:
        """Our configuration, with the data in a folder."""
        return from_flags({name: _value(name, value) for name, value in self._all(folder, seed, workers).items()})

    def command(self, folder: str, seed: int, workers: int, seconds: float) -> str:
        """The same as a command line, for a search of that many seconds."""
        typed = []
        for name, value in self._all(folder, seed, workers).items():
            option = f"--{name.replace('_', '-')}"
            typed += [option] if value is True else [option, str(value)]
        return shlex.join(["scripts/distsearch", "run", *typed, "--seconds", f"{seconds:g}"])

    def _all(self, folder: str, seed: int, workers: int) -> dict[str, Any]:
        given = {"data": folder, "validation_share": 0, "strategy": "node-perturbation", **self.flags}
        return {**given, "seed": seed, "workers": workers}


def _value(name: str, value: Any) -> Any:
    """A flag's value from what is typed: lists are separated by commas."""
    return words(value) if name in ("layers", "activation", "precision") else value


def over(rounds: int) -> dict[str, str | int | float | bool]:
    """A learning rate that falls to zero, along a cosine, over that many rounds, and a weight decay for such."""
    return {"schedule": "cosine", "rounds": rounds, "decay": 0.1}


CONVOLUTIONS = "conv16x5,pool2,conv32x5,pool2,64"

ROWS: dict[str, Row] = {
    row.name: row
    for row in (
        Row(
            "spiking",
            "spiking, 784-128-10, 15 steps",
            MNIST,
            {
                "layers": "128",
                "activation": "lif",
                "time_steps": 15,
                "reset": "zero",
                "readout": "counts",
                "batch": 128,
                **over(14_000),
            },
            (Aim(0.93, 8), Aim(0.97, 180)),
            (
                Published(POLYSTEP, 0.930, RTX, 3490, 3415, 4997),
                Published("Adam, surrogate", 0.863, RTX, 23, 22, 24),
            ),
        ),
        Row(
            "int8",
            "int8 middle layer, 784-128-128-10",
            MNIST,
            {"layers": "128,128", "precision": "float32,int8,float32", **over(8_000)},
            (Aim(0.978, 120),),
            (
                Published(POLYSTEP, 0.970, RTX, 1459, 1459, 1651),
                Published("Adam, without rounding", 0.978, RTX, 8, 8, 8),
            ),
        ),
        Row(
            "staircase",
            "staircase activations, 784-128-128-10",
            MNIST,
            {"layers": "128,128", "activation": "staircase", "rate": 0.006, "sigma": 1.0, **over(9_000)},
            (Aim(0.975, 180),),
            (
                Published(POLYSTEP, 0.943, RTX, 850, 715, 1545),
                Published("Adam, sigmoids instead", 0.975, RTX, 10, 8, 11),
            ),
        ),
        Row(
            "attention",
            "argmax attention, MNIST",
            MNIST,
            {"layers": "128,attention8", **over(5_000)},
            (Aim(0.96, 180),),
        ),
        Row(
            "attention-fashion",
            "argmax attention, Fashion-MNIST",
            FASHION,
            {"layers": "128,attention8", **over(5_000)},
            (Aim(0.866, 180),),
            (
                Published(POLYSTEP, 0.866, RTX, 2883, 1846, 3658),
                Published("Adam, softmax instead", 0.886, RTX, 81, 80, 81),
            ),
        ),
        Row(
            "mixture",
            "hard mixture, MNIST + Fashion, 20 classes",
            BOTH,
            {"layers": "128,moe4(128,128)", **over(5_000)},
            (Aim(0.92, 300),),
            (Published(POLYSTEP, 0.906, RTX, 8381, 7185, 13573),),
        ),
        Row(
            "binary",
            "binary weights, sign activations, 784-256-10",
            MNIST,
            {
                "layers": "256",
                "activation": "sign",
                "precision": "binary",
                "groups": 256,
                "rate": 0.003,
                "sigma": 0.5,
                **over(16_000),
            },
            (Aim(0.97, 180),),
            (Published("straight-through", 0.975),),
        ),
        Row(
            "cnn",
            "CNN conv16x5-pool2-conv32x5-pool2-64",
            MNIST,
            {"layers": CONVOLUTIONS, "batch": 128, "rate": 0.003, **over(2_500)},
            (Aim(0.985, 180), Aim(0.99, 600)),
            (Published("EvoJAX", 0.98, "a GPU", 300), Published("RSO", 0.991), Published("Adam", 0.992)),
        ),
        Row(
            "spiking-cnn",
            "spiking CNN of the same layers, 4 steps",
            MNIST,
            {"layers": CONVOLUTIONS, "activation": "lif", "time_steps": 4, "batch": 64, "rate": 0.003, **over(5_000)},
            (Aim(0.98, 600),),
            (Published("Adam, surrogate", 0.99),),
        ),
        Row(
            "fashion",
            "Fashion-MNIST, 784-256-128-10",
            FASHION,
            {"layers": "256,128", "scale": True, "rate": 0.003, **over(4_000)},
            (Aim(0.89, 60),),
            (Published("Adam", 0.895),),
        ),
    )
}
