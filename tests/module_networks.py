"""Networks of torch modules, and inputs for them."""

import numpy as np
import torch
import torch.nn.functional as F

from distsearch.networks.modules.experiments import ModuleExperiments
from distsearch.networks.modules.network import ModuleNetwork
from distsearch.objectives import losses
from distsearch.randomness import Stream, noise, signs

EXAMPLES = 24
SIGMA = 0.01


def made(factory, shape: tuple[int, ...], outputs: int = 3) -> ModuleNetwork:
    return ModuleNetwork(factory, shape, outputs, "one for each class")


def inputs_of(width: int) -> np.ndarray:
    inputs = np.ones((width + 1, EXAMPLES), np.float32)
    inputs[:-1] = np.abs(2 * noise(1, Stream.DATA, 0, 0, EXAMPLES, width)).T
    return inputs


def estimated(network: ModuleNetwork, weights, inputs, labels, repeats: int = 1, groups=None, ends=None) -> np.ndarray:
    """The mean estimate of the sum of all examples' gradients, (n,)."""
    targets = np.zeros((network.outputs, EXAMPLES), np.float32)
    targets[labels, np.arange(EXAMPLES)] = 1
    loss = losses.create("cross-entropy")
    moves = sum(layer.nodes * layer.places for layer in network.node_layers)
    ends = ends or [0, moves]
    total = np.zeros(network.weights_count)
    for number in range(repeats):
        experiments = network.experiments(
            weights, inputs, lambda outputs, some=slice(None): loss.each(outputs, targets[:, some])
        )
        drawn = signs(1, Stream.SIGNS, number, 0, 0, moves, 64)[:, :EXAMPLES]
        found = np.empty(network.weights_count, np.float32)
        experiments.gradient(ends, drawn, SIGMA, groups, found)
        total += found
    return total / repeats


def exact(network: ModuleNetwork, weights, inputs, labels) -> np.ndarray:
    """The same by backpropagation."""
    network.load(weights)
    network.module.zero_grad()
    outputs = network.module(network.examples(inputs))
    F.cross_entropy(outputs, torch.from_numpy(labels), reduction="sum").backward()
    slopes = {
        name: torch.zeros_like(each) if each.grad is None else each.grad for name, each in network.trained.items()
    }
    return network.parameters.flat({name: each.numpy() for name, each in slopes.items()})


def cosines(network: ModuleNetwork, first: np.ndarray, second: np.ndarray) -> dict[str, float]:
    found = {}
    for name, place in network.parameters.placed.items():
        one, other = (np.ravel(place.read(each)) for each in (first, second))
        if other.any():  # what is rounded or decides has none
            found[name] = float(one @ other / np.sqrt((one @ one) * (other @ other)))
    return found


def experiments_of(factory, shape: tuple[int, ...], outputs: int) -> ModuleExperiments:
    network = made(factory, shape, outputs)
    targets = np.zeros((outputs, EXAMPLES), np.float32)
    targets[np.arange(EXAMPLES) % outputs, np.arange(EXAMPLES)] = 1
    loss = losses.create("cross-entropy")
    inputs = inputs_of(int(np.prod(shape)))

    def losses_of(found, some=slice(None)):
        return loss.each(found, targets[:, some])

    return network.experiments(network.start(None, 1), inputs, losses_of)


def gradient(experiments: ModuleExperiments, groups: int | None, sigma: float) -> np.ndarray:
    subject = experiments._subject
    moves = sum(layer.nodes * layer.places for layer in subject.priced)
    drawn = signs(1, Stream.SIGNS, 0, 0, 0, moves, 64)[:, :EXAMPLES]
    found = np.empty(subject.parameters.count, np.float32)
    experiments.gradient([0, moves], drawn, sigma, groups, found)
    return found
