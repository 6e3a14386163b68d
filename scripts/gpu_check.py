"""Checks and times torch modules on this machine's GPU: `python scripts/gpu_check.py`, in about a minute.

It needs neither Ray nor a network. For a convolution net and a small transformer, and for noise of all weights, of low
rank and of nodes: the same bits twice, a stopped run that goes on to the bits of one that was not, losses and gradients
that agree with the processor's, and the seconds of a round on one core of the processor and on the GPU.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

import distsearch
from distsearch.candidates.base import Dense, Shared
from distsearch.networks.modules.devices import CPU, CUDA, gpu
from distsearch.networks.modules.engine import Computing
from distsearch.networks.modules.network import ModuleNetwork
from distsearch.objectives import losses
from distsearch.objectives.batches import with_ones
from distsearch.randomness import Stream, noise, signs

Array = NDArray[np.float32]

SIDE, CLASSES = 28, 10
SHAPE = (SIDE, SIDE, 1)
EXAMPLES = 2048
BATCH = 256
COMPARED = 32  # examples
STRATEGIES: Mapping[str, Mapping[str, Any]] = {
    "dense noise": {"strategy": "evolution-strategy", "population": 32},
    "low-rank noise": {"strategy": "evolution-strategy", "population": 64, "rank": 1},
    "nodes": {"strategy": "node-perturbation"},
}
FILES = ("best.safetensors", "checkpoint.safetensors", "losses.bin")
CLOSE = {"float32": 1e-4, "bfloat16": 0.05}  # of the outputs, relatively to the largest
SAME_WAY = {"float32": 0.999, "bfloat16": 0.9}  # the cosine of gradients on both devices


class Convolutions(nn.Sequential):
    """46,730 weights."""

    def __init__(self) -> None:
        super().__init__(
            *(nn.Conv2d(1, 16, 5), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(16, 32, 5), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Linear(512, 64), nn.ReLU(), nn.Linear(64, CLASSES)),
        )


class Transformer(nn.Module):
    """Two layers of attention over the rows of a picture; 71,242 weights."""

    def __init__(self, width: int = 64, layers: int = 2) -> None:
        super().__init__()
        self.rows = nn.Linear(SIDE, width)
        self.positions = nn.Parameter(0.1 * torch.randn(SIDE, width))
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, dropout=0.0, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.outputs = nn.Linear(width, CLASSES)

    def forward(self, x: Any) -> Any:
        """(examples, classes), from (examples, 1, rows, columns)."""
        return self.outputs(self.layers(self.rows(x[:, 0]) + self.positions).mean(1))


class WideTransformer(Transformer):
    """Four layers with 256 features; 2.1 million weights."""

    def __init__(self) -> None:
        super().__init__(256, 4)


def pictures(count: int) -> tuple[Array, NDArray[np.int64]]:
    """Made-up pictures of ten classes, (count, pixels), and their classes, (count,)."""
    classes = np.arange(count) % CLASSES
    patterns = noise(7, Stream.DATA, 0, 0, CLASSES, SIDE * SIDE)
    return patterns[classes] + 2 * noise(7, Stream.DATA, 1, 0, count, SIDE * SIDE), classes


def expect(holds: bool, otherwise: str) -> None:
    """End here unless something holds."""
    if not holds:
        sys.exit(f"gpu_check: {otherwise}")


class Check:
    """What is run, on which device, and what comes of it."""

    def __init__(self, device: str, rounds: int, examples: int, folder: Path) -> None:
        self.device = device
        self._rounds = rounds
        self._data = pictures(examples)
        self._batch = min(BATCH, examples // 2)
        self._folder = folder
        self._count = 0

    def search(self, rounds: int, **settings: Any) -> tuple[Path, float]:
        """A run's folder, and the seconds of its median round, without the first if there are others."""
        self._count += 1
        result = distsearch.search(
            *self._data,
            **{"shape": SHAPE, "batch": self._batch, "test_share": 0, "validation_share": 0, "workers": 0, **settings},
            measure_every=1000,
            rounds=rounds,
            name=f"run-{self._count}",
            runs=self._folder,
        )
        return self._folder / f"run-{self._count}", _seconds([record.seconds for record in result.history])

    def bits(self, model: type[nn.Module], settings: Mapping[str, Any], precision: str = "float32") -> float:
        """Assert that a run's bits are the same again, and after a stop; the seconds of a round."""
        settings = {**settings, "model": model, "precision": precision, "device": self.device}
        rounds = self._rounds
        whole, seconds = self.search(rounds, **settings)
        again, _ = self.search(rounds, **settings)
        stopped, _ = self.search(rounds // 2, **settings)
        distsearch.resume(stopped, *self._data, rounds=rounds - rounds // 2, workers=0)
        for name in FILES:
            content = (whole / name).read_bytes()
            expect((again / name).read_bytes() == content, f"{name} is another in the same run again")
            expect((stopped / name).read_bytes() == content, f"{name} is another in a run that was stopped")
        verdict = distsearch.verify(whole, *self._data, rounds=1)
        expect(verdict.identical, "; ".join(verdict.differences))
        return seconds

    def agreement(self, model: type[nn.Module], precision: str) -> str:
        """Assert that both devices compute the same outputs and gradients, up to rounding; how nearly."""
        inputs, classes = with_ones(self._data[0][:COMPARED]), self._data[1][:COMPARED]
        answers = [_answers(model, Computing(each, precision), inputs, classes) for each in (CPU, self.device)]
        (outputs, gradient), (others, another) = answers
        apart = float(np.abs(outputs - others).max() / np.abs(outputs).max())
        cosine = float(gradient @ another / np.sqrt((gradient @ gradient) * (another @ another)))
        expect(apart < CLOSE[precision], f"outputs differ by {apart:.2g} of the largest")
        expect(cosine > SAME_WAY[precision], f"gradients have a cosine of {cosine:.4f}")
        return f"outputs {apart:.1e} apart, cosine of gradients {cosine:.5f}"


def _answers(
    model: type[nn.Module], computing: Computing, inputs: Array, classes: NDArray[np.int64]
) -> tuple[Array, Array]:
    """The outputs of candidates in one tile, and the gradient that node perturbation estimates, (n,)."""
    network = ModuleNetwork(model, SHAPE, CLASSES, "one for each class", (), computing)
    weights = network.start(None, 1)
    around = weights + 0.01 * noise(3, Stream.CANDIDATES, 0, 0, 3, weights.size)
    outputs = network.forward(Dense(around.astype(np.float32)), Shared(inputs)).copy()
    targets = np.zeros((CLASSES, len(classes)), np.float32)
    targets[classes, np.arange(len(classes))] = 1
    loss = losses.create("cross-entropy")
    experiments = network.experiments(weights, inputs, lambda found: loss.each(found, targets))
    moves = sum(layer.nodes * layer.places for layer in network.node_layers)
    drawn = signs(1, Stream.SIGNS, 0, 0, 0, moves, -(-len(classes) // 64) * 64)[:, : len(classes)]
    gradient = np.empty(network.weights_count, np.float32)
    experiments.gradient([0, moves], drawn, 0.1, None, gradient)
    return outputs, gradient


def _seconds(ends: Sequence[float]) -> float:
    return median(np.diff(ends)) if len(ends) > 1 else ends[0]


@contextmanager
def stated(what: str) -> Iterator[Callable[[str], None]]:
    """Prints a line with what was found, and the seconds that it took."""
    began, found = perf_counter(), list[str]()
    try:
        yield found.append
    finally:
        print(f"{what:<44} {', '.join(found) or 'FAILED':<58} {perf_counter() - began:6.1f} s", flush=True)


def check(device: str, rounds: int, examples: int, folder: Path) -> None:
    """All checks, for both modules."""
    checking = Check(device, rounds, examples, folder)
    for model in (Convolutions, Transformer):
        for precision in CLOSE:
            with stated(f"{model.__name__}, {precision}, {device} and cpu") as found:
                found(checking.agreement(model, precision))
        for name, settings in STRATEGIES.items():
            with stated(f"{model.__name__}, {name}") as found:
                on_device = checking.bits(model, settings)
                _, on_cpu = checking.search(1, **settings, model=model)
                found(f"same bits; a round {on_device:.4f} s on {device}, {on_cpu:.4f} s on a core")


def widths(device: str, rounds: int, examples: int, folder: Path) -> None:
    """Seconds of a round of a wider module, in both precisions."""
    checking = Check(device, rounds, examples, folder)
    for name, settings in STRATEGIES.items():
        for precision in CLOSE:
            with stated(f"WideTransformer, {name}, {precision}") as found:
                choice = {"model": WideTransformer, "precision": precision, "device": device}
                _, seconds = checking.search(rounds, **settings, **choice)
                found(f"a round {seconds:.4f} s on {device}")


def main() -> None:
    """Check, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default=CUDA, choices=(CPU, CUDA), help="cpu tries this script itself")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--examples", type=int, default=EXAMPLES)
    chosen = parser.parse_args()
    if chosen.device == CUDA and not gpu():
        sys.exit("gpu_check: expected a GPU that torch can use, and it finds none")
    print(f"distsearch {distsearch.__version__}, torch {torch.__version__}, {gpu() or 'no GPU'}", flush=True)
    given = chosen.device, chosen.rounds, chosen.examples
    with tempfile.TemporaryDirectory(prefix="distsearch-gpu-") as folder:
        check(*given, Path(folder))
        if chosen.device == CUDA:
            widths(*given, Path(folder) / "wide")
            print(f"most of the GPU's memory in use: {torch.cuda.max_memory_allocated() / 2**20:.0f} MiB")


if __name__ == "__main__":
    from gpu_check import main as run  # so that its modules can be imported by their names, as a run records them

    run()
