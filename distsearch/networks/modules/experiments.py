"""How moving a module's nodes changes each example's own loss, using only forward passes.

As for the stack of layers (networks/nodes.py): a group of nodes is moved by ±σ, with separate signs for every example,
and the change in each example's loss, times the layer's inputs, says which way its weights should go. Many experiments
are one call: `torch.func.vmap` computes only what depends on the moved layer, and what layers before it return is
kept. Weights that belong to no layer are moved themselves, by the same signs for all examples (Spall 1992,
"Multivariate stochastic approximation using a simultaneous perturbation gradient approximation").
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from distsearch.candidates.blocks import NodeLayer
from distsearch.errors import ObjectiveError
from distsearch.networks.modules.engine import exactly
from distsearch.networks.modules.moves import Moves, together
from distsearch.networks.modules.parameters import Parameters
from distsearch.networks.modules.passes import Moving, Recording
from distsearch.networks.modules.trial import Found
from distsearch.networks.trainable import LossesOf

Array = NDArray[np.float32]

SMALLEST_LOOSE = 0.05  # a weight that belongs to no layer is moved by σ times this, or times those of its tensor


@dataclass(frozen=True)
class Subject:
    """A module that is experimented with, the weights it has, and how it is divided."""

    module: Any
    trained: dict[str, Any]  # its parameters that are searched
    parameters: Parameters
    layers: tuple[Found, ...]
    priced: tuple[NodeLayer, ...]
    parts: tuple[int, ...]  # that each layer's places are moved in
    of_outputs: Callable[[Any], Any]
    numbers: int  # that a forward pass makes of an example
    singly: set[str] = field(default_factory=set)  # layers for which vmap does not work, by their weights


class ModuleExperiments:
    """A stored forward pass of a module as it is, on examples, and how moving nodes changes it."""

    def __init__(self, subject: Subject, examples: Any, losses_of: LossesOf, unit: np.float64) -> None:
        self._subject = subject
        self._examples = examples
        self._losses_of = losses_of
        recording = Recording(subject.trained, {found.layer for found in subject.layers})
        with recording:
            outputs = subject.module(examples)
        self._calls = recording.calls
        self._check_calls()
        self._firsts = [0]  # each layer's first move, and one past the last
        for layer in subject.priced:
            self._firsts.append(self._firsts[-1] + layer.nodes * layer.places)
        self.losses = self._losses(outputs)[0]  # (examples,)
        self.loss = self.losses.mean(dtype=np.float64) * unit

    @exactly
    def gradient(self, ends: Sequence[int], signs: Array, sigma: float, groups: int | None, out: Array) -> None:
        """Write the sum over examples of the estimated gradients of some nodes' weights to `out`, (their weights,).

        As for `networks.nodes.NodeExperiments.gradient`; every part between two ends is computed by itself.
        """
        written = 0
        for begin, end in pairwise(ends):
            for number, (first, last) in enumerate(pairwise(self._firsts)):
                lo, hi = max(begin, first), min(end, last)
                if lo >= hi:
                    continue
                priced = self._subject.priced[number]
                at = slice((lo - first) // priced.places, (hi - first) // priced.places)
                of_moves = signs[lo - ends[0] : hi - ends[0]].reshape(at.stop - at.start, priced.places, -1)
                size = (at.stop - at.start) * priced.width
                rows = out[written : written + size].reshape(-1, priced.width)
                group = priced.group_size(groups)
                if number < len(self._subject.layers):
                    self._of_layer(number, at, of_moves, sigma, group, rows)
                else:
                    rows[:, 0] = self._of_loose(at, of_moves[:, 0, 0], sigma, group)
                written += size

    def _of_layer(self, number: int, at: slice, signs: Array, sigma: float, group: int, out: Array) -> None:
        """Write the gradient of the weights of a layer's nodes `at`; signs are (nodes, places, examples)."""
        found = self._subject.layers[number]
        numbers = [place for place, call in enumerate(self._calls) if call.layer == found.layer]
        moves = Moves(found, [self._calls[place] for place in numbers], at, len(self._examples))
        steps = torch.from_numpy(signs) * (sigma * moves.size())
        slopes = torch.empty_like(steps)
        experiments = moves.experiments(group, self._subject.parts[number])
        for some in together(experiments, self._numbers()):

            def outputs_of(added: list[Any]) -> Any:
                by_call = {place: added[which] for place, which in zip(numbers, found.calls, strict=True)}
                with Moving(self._subject.trained, self._calls, by_call):
                    return self._subject.module(self._examples)

            changes = self._changes(found.layer.weight, outputs_of, moves.added(some, steps))
            moves.write_slopes(some, changes, steps, slopes)
        out[:] = moves.gradient(slopes).numpy()

    def _of_loose(self, at: slice, signs: Array, sigma: float, group: int) -> Array:
        """The gradient of the weights `at`, among those outside of layers, from a sign of each."""
        parameters = self._subject.parameters
        lo, hi = parameters.loose + at.start, parameters.loose + at.stop
        places = list(parameters.loose_in(lo, hi))
        steps = torch.zeros(parameters.count - parameters.loose)
        for place in places:
            block = slice(place.block.start - parameters.loose, place.block.stop - parameters.loose)
            values = self._subject.trained[place.name].detach()
            steps[block] = sigma * max(SMALLEST_LOOSE, float(values.square().mean().sqrt()))
        steps[at] *= torch.from_numpy(signs)
        slopes = torch.zeros(at.stop - at.start)
        groups = [slice(start, min(start + group, at.stop)) for start in range(at.start, at.stop, group)]
        for some in together(groups, self._numbers()):
            moved = torch.zeros(len(some), parameters.count)
            for row, group_at in zip(moved, some, strict=True):
                row[parameters.loose + group_at.start : parameters.loose + group_at.stop] = steps[group_at]

            def outputs_of(added: list[Any]) -> Any:
                values = {
                    place.name: self._subject.trained[place.name] + each
                    for place, each in zip(places, added, strict=True)
                }
                return torch.func.functional_call(self._subject.module, values, (self._examples,))

            added = [torch.stack([place.read(row) for row in moved]) for place in places]
            changes = self._changes("", outputs_of, added).sum(1)
            for change, group_at in zip(changes, some, strict=True):
                slopes[group_at.start - at.start : group_at.stop - at.start] = change / steps[group_at]
        return slopes.numpy()

    def _changes(self, name: str, outputs_of: Callable[[list[Any]], Any], added: list[Any]) -> Any:
        """How much each example's loss changes, (experiments, examples), in experiments that are computed together.

        Or one by one, if torch cannot for this layer: whether it can is the same everywhere.
        """
        if name not in self._subject.singly:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of operations that it computes one by one
                    outputs = torch.func.vmap(outputs_of)(added)
            except (RuntimeError, ValueError, NotImplementedError):
                self._subject.singly.add(name)
        if name in self._subject.singly:
            outputs = torch.stack([outputs_of([each[number] for each in added]) for number in range(len(added[0]))])
        return torch.from_numpy(self._losses(outputs) - self.losses)

    def _losses(self, outputs: Any) -> Array:
        """Every example's loss, (experiments, examples), from the module's outputs."""
        found = self._subject.of_outputs(outputs)
        found = found.reshape(-1, *found.shape[-2:]).transpose(1, 2).contiguous()
        return self._losses_of(found.clone().numpy())

    def _numbers(self) -> int:
        """About how many numbers an experiment makes."""
        return self._subject.numbers * len(self._examples)

    def _check_calls(self) -> None:
        """ObjectiveError if the layers are not called as they were when the module was looked at."""
        for found in self._subject.layers:
            calls = [call for call in self._calls if call.layer == found.layer]
            shared = dict(zip(found.calls, calls, strict=False))
            places = sum(call.outputs.numel() for call in shared.values()) / (found.nodes * len(self._examples))
            if len(calls) != len(found.calls) or places != found.places:
                raise ObjectiveError(
                    f"the layer of {found.layer.weight} was called {len(calls)} times, for {places:g} places of each "
                    f"example, and {len(found.calls)} times for {found.places} at first: a layer whose calls depend "
                    "on the data cannot have its nodes moved; choose another strategy, such as evolution-strategy"
                )
