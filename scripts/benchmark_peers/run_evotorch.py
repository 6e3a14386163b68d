"""EvoTorch: a vectorised problem, the whole population in one batched call."""

from typing import Any

import torch
from evotorch import Problem as Vectorised
from evotorch.algorithms import CMAES, PGPE, SNES
from evotorch.tools import set_default_logger_config
from tasks import CORES, Problem, Race


def search(problem: Problem, settings: dict[str, Any], race: Race, folder: str) -> None:
    """Search; the center is evaluated after every generation."""
    torch.manual_seed(problem.seed)
    set_default_logger_config(logger_level=40)
    settings = dict(settings)
    name = settings.pop("algorithm")
    torch.set_num_threads(settings.pop("threads", CORES))
    losses = _losses(problem)
    start = torch.from_numpy(problem.start.copy())
    race.begin()
    vectorised = Vectorised(
        "min",
        losses,
        vectorized=True,
        solution_length=problem.weights_count,
        initial_bounds=(-1, 1),
        dtype=torch.float32,
        eval_dtype=torch.float32,
        seed=problem.seed,
    )
    searcher = _searcher(name, settings, vectorised, start)
    candidates = 0
    while True:
        searcher.step()
        center = searcher.status["center"]
        candidates += settings["popsize"] + 1
        loss = float(losses(center[None])[0])
        population = searcher.population
        if problem.task.batch is None and (lowest := float(population.evals[:, 0].min())) < loss:
            loss, center = lowest, population.values[population.evals[:, 0].argmin()]
        if race.record(candidates, loss, lambda center=center: center.detach().numpy()):
            return


def _searcher(name: str, settings: dict[str, Any], vectorised: Vectorised, start: torch.Tensor) -> Any:
    if name == "PGPE":
        return PGPE(vectorised, center_init=start, stdev_learning_rate=0.1, optimizer="adam", **settings)
    if name == "SNES":
        return SNES(vectorised, center_init=start, **settings)
    return CMAES(vectorised, center_init=start, **settings)


def _losses(problem: Problem) -> Any:
    x, y = torch.from_numpy(problem.x.copy()), torch.from_numpy(problem.y.copy())
    whole = x.T.contiguous()
    layers, batch, relu = problem.network.layers, problem.task.batch, problem.activation == "relu"

    def losses(weights: torch.Tensor) -> torch.Tensor:
        columns, classes = whole, y
        if batch is not None:
            chosen = torch.randint(len(y), (batch,))
            columns, classes = x[chosen].T, y[chosen]
        below = columns
        for layer in layers:
            matrix = layer.matrix.block.matrices(weights)
            below = torch.matmul(matrix[:, :, :-1], below) + matrix[:, :, -1:]
            if layer is not layers[-1]:
                below = torch.relu(below) if relu else (below > 0).float()
        log_shares = torch.log_softmax(below, dim=1)  # (candidates, outputs, examples)
        return -log_shares.gather(1, classes.expand(len(weights), 1, -1)).mean(dim=(1, 2))

    return losses
