"""A module with each candidate's weights, one after the other; of low-rank candidates no layer's matrix is made."""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from types import NoneType
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from distsearch.candidates.base import Candidates, Dense, Shared
from distsearch.candidates.blocks import Block
from distsearch.candidates.pairs import LowRank, Pairs, Products, factors_width
from distsearch.networks.modules.experiments import AGREEING
from distsearch.networks.modules.nudging import Nudging
from distsearch.networks.modules.parameters import Parameters
from distsearch.randomness import Stream, noise

Array = NDArray[np.float32]

NUDGE = 0.1  # the size of the steps by which a module is examined


class Weighted(Protocol):
    """The network of a module, as far as it matters here."""

    module: Any
    nudged: bool
    parameters: Parameters
    blocks: tuple[Block, ...]

    @property
    def trained(self) -> dict[str, Any]:
        """The module's parameters that are searched, by their names."""
        ...

    def load(self, weights: Array) -> None:
        """Put weights, (n,), into the module."""
        ...

    def forward(self, candidates: Candidates, inputs: Shared) -> Array:
        """The outputs of every candidate, (candidates, outputs, examples)."""
        ...


def with_each(network: Weighted, candidates: Candidates) -> Iterator[AbstractContextManager[Any]]:
    """For every candidate, what has to be entered for the network's module to have its weights."""
    if not (network.nudged and isinstance(candidates, LowRank)):
        for weights in candidates.dense():
            network.load(weights)
            yield nullcontext()
        return
    network.load(candidates.center)
    trained, placed = network.trained, network.parameters.placed
    for step in candidates.steps():
        yield nullcontext() if step is None else Nudging(trained, placed, step)


def nudges_agree(network: Weighted, inputs: Array | None) -> bool:
    """Whether a module does with low-rank steps in its layers what it does with them in its weights.

    It does not where its code is compiled. It is tried with the module's first weights, so the same comes out
    everywhere, on inputs, (features + 1, examples), if these are what the module is called with.
    """
    if any(_is_compiled(part) for part in network.module.modules()):
        return False
    if inputs is None:
        return True
    factors = noise(0, Stream.START, 1, 0, 1, factors_width(network.blocks, 1))
    first = {name: parameter.detach().numpy() for name, parameter in network.trained.items()}
    center = network.parameters.flat(first)
    steps = LowRank(Pairs(1, 2), center, Products(), network.blocks, factors, 1, NUDGE)
    found, expected = (network.forward(given, Shared(inputs)) for given in (steps, Dense(steps.dense())))
    network.load(center)
    return bool(np.isclose(found, expected, rtol=1e-3, atol=1e-3, equal_nan=True).all(1).mean() >= AGREEING)


def _is_compiled(part: Any) -> bool:
    compiler = sys.modules.get("torch._dynamo")  # what has not been imported, which takes seconds, compiled nothing
    return isinstance(part, torch.jit.ScriptModule | (compiler.OptimizedModule if compiler else NoneType))
