"""polystep 1.1.0 on a row's network, with the settings of its own runs of the same task.

They are those of experiments/runners/run_elevation.py and run_moe.py in its repository. Their cosines span 30 epochs;
here they span as many steps as fit the time, if these are fewer: they would hardly fall on a machine so much slower.
"""

from collections.abc import Callable
from typing import Any

import torch
from polystep import HybridSubspace, ParamLayout, PolyStepOptimizer
from polystep.epsilon import CosineEpsilon
from torch import nn

from nondiff.models import network_of
from nondiff.processes import CORES
from nondiff.rows import ROWS
from nondiff.stopwatch import Stopwatch, examples_of

BATCH, EPOCHS = 512, 30
WARM = 2  # steps, after which it is known how many fit the time

INT8_COSINES = {"epsilon": (5.0, 0.3), "step_radius": (32.0, 8.0), "probe_radius": (2.0, 0.5)}
STEADY = {"biased_rotation": True, "adaptive_omega": True}
SETTINGS: dict[str, dict[str, Any]] = {
    "spiking": {"epsilon": 0.5, "step_radius": 2.0, "probe_radius": 1.0, "rank": 4, "absorb": 20, "anderson_depth": 5}
    | STEADY,
    "int8": INT8_COSINES | {"rank": 8, "use_momentum": True, "momentum_init": 0.3, "momentum_final": 0.5},
    "attention": INT8_COSINES | {"rank": 8},
    "attention-fashion": INT8_COSINES | {"rank": 8},
    "staircase": {"epsilon": (5.0, 1.0), "step_radius": (64.0, 32.0), "probe_radius": (2.0, 1.0), "rank": 4},
    "mixture": {"epsilon": 0.5, "step_radius": (12.0, 4.0), "probe_radius": 1.0, "rank": 4, "absorb": 20} | STEADY,
}


def search(order: dict[str, Any]) -> dict[str, Any]:
    """Search for the order's seconds."""
    row = ROWS[order["row"]]
    return searched(lambda: network_of(row), SETTINGS[row.name], row.data, order)


def searched(network: Callable[[], nn.Module], settings: dict[str, Any], data: str, order: dict[str, Any]) -> Any:
    """Search a network's weights for the order's seconds."""
    torch.manual_seed(order["seed"])
    torch.set_num_threads(CORES)
    train, validation, test = examples_of(order["folder"], data)
    model = network()
    published = EPOCHS * -(-len(train.labels) // BATCH)  # steps
    optimizer, cosines = _optimizer(model, dict(settings), order["seed"], published)
    loss_of = nn.CrossEntropyLoss()
    watch, steps = Stopwatch(model, validation, test, order["seconds"]), 0
    while True:
        for some in torch.randperm(len(train.labels)).split(BATCH):
            optimizer.step_batch(train.images[some], train.labels[some], loss_fn=loss_of)
            steps += 1
            if steps == WARM:
                for cosine in cosines:
                    cosine.total_steps = min(published, max(WARM, int(watch.limit / watch.seconds * steps)))
            if watch.over(steps):
                return watch.document()


def _optimizer(
    model: nn.Module, settings: dict[str, Any], seed: int, steps: int
) -> tuple[PolyStepOptimizer, list[CosineEpsilon]]:
    """The optimiser, and those of its settings that fall by a cosine."""
    cosines = {
        name: CosineEpsilon(init=value[0], target=value[1], total_steps=steps)
        for name, value in settings.items()
        if isinstance(value, tuple)
    }
    subspace = HybridSubspace.from_layout(
        ParamLayout.from_module(model),
        rank=settings.pop("rank"),
        rotation_mode="random",
        rotation_interval=0,
        absorb_mode="periodic",
        absorb_interval=settings.pop("absorb", 0),
    )
    optimizer = PolyStepOptimizer(
        model, subspace=subspace, solver="softmax", num_probe=1, chunk_size=1024, seed=seed, **{**settings, **cosines}
    )
    return optimizer, list(cosines.values())
