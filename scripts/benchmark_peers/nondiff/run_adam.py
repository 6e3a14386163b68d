"""Adam on a row's network, with the gradients of smooth functions in place of its hard ones."""

import math
from typing import Any

import torch

from nondiff.models import network_of, with_surrogate
from nondiff.processes import CORES
from nondiff.rows import ROWS
from nondiff.stopwatch import Stopwatch, examples_of

RATE, BATCH = 0.001, 128


def search(order: dict[str, Any]) -> dict[str, Any]:
    """Train for the order's seconds; the rate falls to zero by half a cosine over them."""
    row = ROWS[order["row"]]
    torch.manual_seed(order["seed"])
    torch.set_num_threads(CORES)
    train, validation, test = examples_of(order["folder"], row.data)
    model = network_of(row, with_surrogate)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    watch, steps = Stopwatch(model, validation, test, order["seconds"]), 0
    while True:
        for some in torch.randperm(len(train.labels)).split(BATCH):
            share = min(1.0, watch.seconds / watch.limit)
            optimizer.param_groups[0]["lr"] = RATE * (1 + math.cos(math.pi * share)) / 2
            loss = torch.nn.functional.cross_entropy(model(train.images[some]), train.labels[some])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            steps += 1
            if watch.over(steps):
                return watch.document()
