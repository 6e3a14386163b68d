"""Backpropagation on the same network, to show what gradients are worth where they exist: Adam, in torch or in
scikit-learn. A candidate is a step here.
"""

from typing import Any

import numpy as np
from tasks import CORES, Problem, Race


def search(problem: Problem, settings: dict[str, Any], race: Race, folder: str) -> None:
    """Train with the library that the settings name."""
    (_torch if settings["library"] == "torch" else _scikit_learn)(problem, settings, race)


def _torch(problem: Problem, settings: dict[str, Any], race: Race) -> None:
    import torch
    import torch._dynamo  # which Adam's first step would import

    torch.set_num_threads(settings.get("threads", CORES))
    torch.manual_seed(problem.seed)
    x, y = torch.from_numpy(problem.x.copy()), torch.from_numpy(problem.y.copy())
    race.begin()
    model = _model(problem)
    optimizer = torch.optim.Adam(model.parameters(), lr=settings["learning_rate"])
    batch, step = settings.get("batch"), 0

    def flat() -> Any:
        with torch.no_grad():
            layers = [part for part in model if isinstance(part, torch.nn.Linear)]
            return torch.cat([torch.cat([each.weight, each.bias[:, None]], 1).flatten() for each in layers]).numpy()

    while True:
        order = torch.randperm(len(y)) if batch else None
        for first in range(0, len(y), batch or len(y)):
            chosen = slice(None) if order is None else order[first : first + batch]
            loss = torch.nn.functional.cross_entropy(model(x[chosen]), y[chosen])
            if (batch is None or race.is_due) and race.record(step, float(loss), flat):
                return  # the loss is that of the current weights
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1


def _model(problem: Problem) -> Any:
    import torch

    parts: list[Any] = []
    for layer in problem.network.layers:
        matrix = layer.matrix.block.matrix(problem.start)
        linear = torch.nn.Linear(layer.inputs, layer.outputs)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(matrix[:, :-1].copy()))
            linear.bias.copy_(torch.from_numpy(matrix[:, -1].copy()))
        parts += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*parts[:-1])


def _scikit_learn(problem: Problem, settings: dict[str, Any], race: Race) -> None:
    """Train from scikit-learn's own initial weights, as it accepts no others. Measured after every epoch."""
    from sklearn.neural_network import MLPClassifier

    hidden = [layer.outputs for layer in problem.network.layers[:-1]]
    race.begin()
    model = MLPClassifier(
        hidden,
        batch_size=settings["batch"],
        learning_rate_init=settings["learning_rate"],
        alpha=0,
        random_state=problem.seed,
    )
    epoch = 0

    def flat() -> Any:
        matrices = [np.vstack([w, b]).T for w, b in zip(model.coefs_, model.intercepts_, strict=True)]
        return np.concatenate([matrix.ravel() for matrix in matrices])

    while True:
        model.partial_fit(problem.x, problem.y, classes=np.arange(problem.network.layers[-1].outputs))
        epoch += 1
        steps = epoch * -(-len(problem.y) // settings["batch"])
        if race.record(steps, model.loss_, flat):
            return
