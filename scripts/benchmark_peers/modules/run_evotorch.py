"""EvoTorch's SupervisedNE on a module, with the settings of its own example of MNIST ("Training MNIST30K")."""

from typing import Any

import torch
from evotorch.algorithms import PGPE
from evotorch.neuroevolution import SupervisedNE
from evotorch.tools import set_default_logger_config
from nondiff.processes import CORES
from nondiff.stopwatch import Stopwatch, examples_of
from torch import nn
from torch.utils.data import TensorDataset

from modules.models import made
from modules.rows import ROWS

POPULATION, BATCH = 3200, 1024
SEARCHER = {"radius_init": 2.25, "center_learning_rate": 0.01, "stdev_learning_rate": 0.1}


def search(order: dict[str, Any]) -> dict[str, Any]:
    """Search for the order's seconds, and to the end of the generation in which these are over."""
    module = ROWS[order["row"]]
    torch.manual_seed(order["seed"])
    torch.set_num_threads(CORES)
    set_default_logger_config(logger_level=40)
    train, validation, test = examples_of(order["folder"], module.data)
    problem = SupervisedNE(
        TensorDataset(train.images, train.labels),
        lambda: made(module.name),
        nn.CrossEntropyLoss(),
        minibatch_size=BATCH,
        common_minibatch=True,
        num_actors=0,
    )
    searcher = PGPE(problem, popsize=POPULATION, **SEARCHER)
    watch, generations = Stopwatch(made(module.name), validation, test, order["seconds"]), 0
    while True:
        searcher.step()
        generations += 1
        nn.utils.vector_to_parameters(searcher.status["center"].clone(), watch.model.parameters())
        if watch.over(generations):
            return watch.document()
