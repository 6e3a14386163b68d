"""A module with each candidate's weights, one after the other, or with those of many candidates in one call on a GPU.

Of low-rank candidates no layer's matrix is made. On a processor one call for many pays for few modules: it takes as
long for dense layers, and longer for convolutions.
"""

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from types import NoneType
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from distsearch.candidates.base import Candidates, Dense, Shared
from distsearch.candidates.blocks import Block
from distsearch.candidates.pairs import LowRank, Pairs, Products, Step, factors_width
from distsearch.errors import ObjectiveError
from distsearch.networks.modules.devices import CPU
from distsearch.networks.modules.engine import Computing, array_of
from distsearch.networks.modules.experiments import AGREEING
from distsearch.networks.modules.nudging import Factors, Nudging
from distsearch.networks.modules.parameters import Parameters
from distsearch.randomness import Stream, noise

Array = NDArray[np.float32]

NUDGE = 0.1  # the size of the steps by which a module is examined


class Weighted(Protocol):
    """The network of a module, as far as it matters here."""

    module: Any
    nudged: bool
    stacked: bool
    computing: Computing
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
        yield nullcontext() if step is None else Nudging(trained, placed, _factors(network, step))


def all_outputs(network: Weighted, candidates: Candidates, examples: Any) -> Iterator[Any]:
    """What the module returns with the weights of each candidate."""
    if network.stacked:
        with network.computing.passing():
            outputs = _stacked(network, candidates, examples)
        yield from outputs.to(CPU)  # all at once
        return
    for given in with_each(network, candidates):
        with given, network.computing.passing():
            outputs = network.module(examples)
        yield outputs


def _stacked(network: Weighted, candidates: Candidates, examples: Any) -> Any:
    """The same of all of them in one call, (candidates, …)."""
    module, trained, placed = network.module, network.trained, network.parameters.placed
    if network.nudged and isinstance(candidates, LowRank):
        network.load(candidates.center)

        def nudged(factors: dict[int, Factors]) -> Any:
            with Nudging(trained, placed, lambda block: factors[block.start]):
                return module(examples)

        return _mapped(nudged)(_all_factors(network, candidates))

    def weighted(flat: Any) -> Any:
        return torch.func.functional_call(module, {name: each.read(flat) for name, each in placed.items()}, (examples,))

    return _mapped(weighted)(network.computing.tensor(np.array(candidates.dense(), np.float32)))


def _mapped(once: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def mapped(given: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of operations that it does one by one
            return torch.func.vmap(once, randomness="error")(given)

    return mapped


def _factors(network: Weighted, step: Step) -> Callable[[Block], Factors]:
    def factors(block: Block) -> Factors:
        left, right = map(network.computing.tensor, step.factors(block))
        return left, right

    return factors


def _all_factors(network: Weighted, candidates: LowRank) -> dict[int, Factors]:
    """Both factors of every candidate's step, (candidates, …), by the start of each block; the center's are 0."""
    steps = list(candidates.steps())
    some = next(step for step in steps if step is not None)
    found = {}
    for block in network.blocks:
        nothing = tuple(map(np.zeros_like, some.factors(block)))
        pairs = [nothing if step is None else step.factors(block) for step in steps]
        left, right = (network.computing.tensor(np.stack(each)) for each in zip(*pairs, strict=True))
        found[block.start] = left, right
    return found


def nudges_agree(network: Weighted, inputs: Array | None) -> bool:
    """Whether a module does with low-rank steps in its layers what it does with them in its weights.

    It does not where its code is compiled. It is tried with the module's first weights, so the same comes out
    everywhere, on inputs, (features + 1, examples), if these are what the module is called with.
    """
    if any(_is_compiled(part) for part in network.module.modules()):
        return False
    if inputs is None:
        return True
    steps = _some_steps(network)
    found, expected = (network.forward(given, Shared(inputs)) for given in (steps, Dense(steps.dense())))
    network.load(steps.center)
    return _agree(network, found, expected)


def stacks_agree(network: Weighted, inputs: Array) -> bool:
    """Whether a module returns for many candidates in one call what it returns for one after the other, tried so."""
    steps = _some_steps(network)
    shared = Shared(inputs)
    both: tuple[Candidates, ...] = steps, Dense(steps.dense())
    expected = [network.forward(each, shared) for each in both]
    network.stacked = True
    try:
        found = [network.forward(each, shared) for each in both]
        return all(_agree(network, *pair) for pair in zip(found, expected, strict=True))
    except ObjectiveError:  # torch cannot, as where the module's Python asks for values
        return False
    finally:
        network.stacked = False
        network.load(steps.center)


def _some_steps(network: Weighted) -> LowRank:
    """The center and two candidates around the module's first weights."""
    factors = noise(0, Stream.START, 1, 0, 1, factors_width(network.blocks, 1))
    center = network.parameters.flat({name: array_of(each) for name, each in network.trained.items()})
    return LowRank(Pairs(0, 3), center, Products(), network.blocks, factors, 1, NUDGE)


def _agree(network: Weighted, found: Array, expected: Array) -> bool:
    apart = network.computing.closeness
    close = np.isclose(found, expected, rtol=apart, atol=apart, equal_nan=True)
    return bool(close.all(1).mean() >= AGREEING)


def _is_compiled(part: Any) -> bool:
    compiler = sys.modules.get("torch._dynamo")  # what has not been imported, which takes seconds, compiled nothing
    return isinstance(part, torch.jit.ScriptModule | (compiler.OptimizedModule if compiler else NoneType))
