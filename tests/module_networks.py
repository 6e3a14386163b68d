"""Networks of torch modules, and inputs for them."""

import numpy as np

from distsearch.networks.modules.network import ModuleNetwork
from distsearch.randomness import Stream, noise

EXAMPLES = 24


def made(factory, shape: tuple[int, ...], outputs: int = 3) -> ModuleNetwork:
    return ModuleNetwork(factory, shape, outputs, "one for each class")


def inputs_of(width: int) -> np.ndarray:
    inputs = np.ones((width + 1, EXAMPLES), np.float32)
    inputs[:-1] = np.abs(2 * noise(1, Stream.DATA, 0, 0, EXAMPLES, width)).T
    return inputs
