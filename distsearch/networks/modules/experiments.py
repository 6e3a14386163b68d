"""How moving a module's nodes changes each example's own loss, using only forward passes.

As for the stack of layers (networks/nodes.py): a group of nodes is moved by ±σ, with separate signs for every example,
and the change in each example's loss, times the layer's inputs, says which way its weights should go. Many experiments
are computed at once from a record of the pass (replay.py): only what depends on the moved layer, and of that only the
columns that change. Where a record does not hold, the module's own Python is called for one experiment after the other.
Weights that belong to no layer are moved themselves, by the same signs for all examples (Spall 1992, "Multivariate
stochastic approximation using a simultaneous perturbation gradient approximation").
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from distsearch.candidates.blocks import NodeLayer
from distsearch.errors import ObjectiveError
from distsearch.networks.modules.columns import Rows, Span, whole
from distsearch.networks.modules.engine import Computing, array_of, exactly
from distsearch.networks.modules.moves import Moved, Moves, together
from distsearch.networks.modules.parameters import Parameters
from distsearch.networks.modules.passes import Moving
from distsearch.networks.modules.plan import Plans
from distsearch.networks.modules.replay import Replay
from distsearch.networks.modules.rows import NOT_ALONE
from distsearch.networks.modules.tape import Recording
from distsearch.networks.modules.trial import Found
from distsearch.networks.modules.watching import Layer
from distsearch.networks.quiet import without_overflows
from distsearch.networks.trainable import LossesOf

Array = NDArray[np.float32]

NOT_TOGETHER = (RuntimeError, ValueError, NotImplementedError, TypeError, IndexError)
"""What torch raises for operations that it cannot do for many experiments at once."""

AGREEING = 0.75
"""The share of examples for which a record has to give what the module gives."""

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
    computing: Computing
    recorded: bool = True  # whether a record of a pass may be used
    plans: Plans = field(default_factory=lambda: Plans(NOT_ALONE))  # for such records


class Part(NamedTuple):
    """Some of the examples."""

    examples: Any  # their numbers; None for all
    replay: Any  # of the record for them; None if it does not hold


class ModuleExperiments:
    """A stored forward pass of a module as it is, on examples, and how moving nodes changes it."""

    def __init__(self, subject: Subject, examples: Any, losses_of: LossesOf, unit: np.float64) -> None:
        self._subject = subject
        self._examples = examples
        self._losses_of = losses_of
        loose = [subject.trained[place.name] for place in subject.parameters.loose_in()]
        recording = Recording(subject.trained, {found.layer for found in subject.layers}, [examples, *loose])
        with subject.computing.passing(), recording:
            outputs = subject.module(examples)
        self.recording = recording
        self._calls = recording.calls
        self._outputs = outputs
        self._sizes: dict[Layer, float] = {}
        self._replay = Replay(recording, outputs, subject.plans) if subject.recorded and recording.holds else None
        self._check_calls()
        self._firsts = [0]  # each layer's first move, and one past the last
        for layer in subject.priced:
            self._firsts.append(self._firsts[-1] + layer.nodes * layer.places)
        self.losses = self._losses(outputs)[0]  # (examples,)
        self.loss = self.losses.mean(dtype=np.float64) * unit

    @property
    def _whole(self) -> Part:
        """All examples."""
        return Part(None, self._replay)

    @cached_property
    def _parts(self) -> list[Part]:
        """The examples divided by what is picked for them; none if nothing is."""
        return [] if self._replay is None else [Part(*each) for each in self._replay.parts()]

    @property
    def computing(self) -> Computing:
        """What the module is computed on."""
        return self._subject.computing

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
        moves, places = self._moves(self._subject.layers[number], at)
        steps = self.computing.tensor(signs) * (sigma * self._size(moves))
        slopes = torch.zeros_like(steps)
        experiments = moves.experiments(group, self._subject.parts[number])
        if not self._measure_parts(experiments, moves, places, steps, slopes):
            self._measure(experiments, moves, places, steps, slopes, self._whole)
        out[:] = array_of(moves.gradient(slopes))

    def _measure_parts(
        self, experiments: Sequence[Sequence[Moved]], moves: Moves, places: Sequence[int], steps: Any, slopes: Any
    ) -> bool:
        """Write the slopes part by part of the examples, if something is picked for them; whether that was done."""
        parts = self._parts_of(places)
        with suppress(*NOT_TOGETHER):
            for part in parts:
                if not part.replay.leaves_out(places[0]):
                    some = moves.of_examples(part.examples)
                    here = torch.empty_like(steps[..., part.examples])
                    self._measure(experiments, some, places, steps[..., part.examples], here, part)
                    slopes[..., part.examples] = here
            return bool(parts)
        return False

    def _parts_of(self, places: Sequence[int]) -> list[Part]:
        """The parts that the examples are divided into where a layer's nodes are moved; none if that is of no use."""
        if self._replay is None or len(places) > 1 or not self._replay.plan.picked.get(places[0]):
            return []
        return self._parts

    def _measure(
        self,
        experiments: Sequence[Sequence[Moved]],
        moves: Moves,
        places: Sequence[int],
        steps: Any,
        slopes: Any,
        part: Part,
    ) -> None:
        """Write the slopes of moves, steps, both (nodes, places, examples), of a part of the examples."""
        for alike in experiments:
            for some in together(alike, moves.found.numbers * moves.count, self.computing.room):
                by_call = _by_call(moves.added(some, steps), moves.found, places)
                changes = self._changes(self._with_nodes_moved(by_call, part), part)
                moves.write_slopes(some, changes, steps, slopes)

    def _moves(self, found: Found, at: slice) -> tuple[Moves, list[int]]:
        """Moves of a layer's nodes `at`, and the places of its calls among all."""
        places = [place for place, call in enumerate(self._calls) if call.layer == found.layer]
        calls, count = [self._calls[place] for place in places], len(self._examples)
        return Moves(found, calls, at, count, self.computing.on_gpu), places

    def _size(self, moves: Moves) -> float:
        """The size of a layer's steps."""
        if moves.found.layer not in self._sizes:
            self._sizes[moves.found.layer] = max(call.kind.size() for call in moves.calls)
        return self._sizes[moves.found.layer]

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
        steps[at] *= self.computing.tensor(signs)
        slopes = torch.zeros(at.stop - at.start)
        groups = [slice(start, min(start + group, at.stop)) for start in range(at.start, at.stop, group)]
        for some in together(groups, self._numbers(), self.computing.room):
            moved = torch.zeros(len(some), parameters.count)
            for row, group_at in zip(moved, some, strict=True):
                row[parameters.loose + group_at.start : parameters.loose + group_at.stop] = steps[group_at]
            values = {place.name: torch.stack([place.read(row) for row in moved]) for place in places}
            for name, each in values.items():
                each += self._subject.trained[name]
            changes = self._changes(self._with_values_moved(values), self._whole).sum(1)
            for change, group_at in zip(changes, some, strict=True):
                slopes[group_at.start - at.start : group_at.stop - at.start] = change / steps[group_at]
        return array_of(slopes)

    def record_agrees(self) -> bool:
        """Whether a record gives what the module's own Python gives when all nodes of a layer are moved.

        It does not where parts of the module are hidden from a record, such as compiled ones. Where an operation
        jumps, the last bits may decide about a few examples.
        """
        for found in self._subject.layers:
            moves, places = self._moves(found, slice(0, found.nodes))
            steps = torch.full((found.nodes, found.places, len(self._examples)), self._size(moves))
            steps[::2] *= -1
            everything = [(slice(0, found.nodes), slice(None))]
            by_call = _by_call(moves.added(everything, steps), found, places)
            expected = self._one_by_one(by_call)
            outputs = whole(self._with_nodes_moved(by_call, self._whole), self._outputs)
            if not self._agree(outputs, expected):
                return False
            if parts := self._parts_of(places):
                by_part = [self._moved_in(part, moves, everything, steps, places) for part in parts]
                examples = torch.cat([part.examples for part in parts])
                if not self._agree(torch.cat(by_part, 1), expected[:, examples]):
                    return False
        return True

    def _moved_in(self, part: Part, moves: Moves, at: Sequence[Moved], steps: Any, places: Sequence[int]) -> Any:
        """The outputs, (experiments, examples, …), for a part of the examples when nodes are moved."""
        added = moves.of_examples(part.examples).added(at, steps[..., part.examples])
        outputs = self._with_nodes_moved(_by_call(added, moves.found, places), part)
        return whole(outputs, self._outputs[part.examples])

    def _agree(self, outputs: Any, others: Any) -> bool:
        """Whether outputs, (experiments, …), are about the same for most examples."""
        apart = self.computing.closeness
        pair = (self._subject.of_outputs(each).float() for each in (outputs, others))
        close = torch.isclose(*pair, rtol=apart, atol=apart, equal_nan=True).all(-1)
        return bool(close.float().mean() >= AGREEING)

    def _with_nodes_moved(self, added: Mapping[int, Span], part: Part) -> Any:
        """The outputs, (experiments, …) or Rows, with something added to what calls of layers return."""
        if part.examples is not None:
            with self.computing.passing():
                return part.replay.with_nodes_moved(added)
        if self._replay is not None:
            with suppress(*NOT_TOGETHER), self.computing.passing():
                return self._replay.with_nodes_moved(added)
        return self._one_by_one(added)

    def _one_by_one(self, added: Mapping[int, Span]) -> Any:
        """The same by the module's own Python."""
        found = []
        for number in range(max(each.end for each in added.values())):
            one = {
                call: each.only(number).added_to(torch.zeros(1, *self._calls[call].outputs.shape))[0]
                for call, each in added.items()
                if each.first <= number < each.end
            }
            with self.computing.passing(), Moving(self._subject.trained, self._calls, one):
                found.append(self._subject.module(self._examples))
        return torch.stack(found)

    def _with_values_moved(self, values: Mapping[str, Any]) -> Any:
        """The outputs, (experiments, …), with other values of parameters, (experiments, …)."""
        if self._replay is not None:
            with suppress(*NOT_TOGETHER), self.computing.passing():
                return self._replay.with_values_moved(
                    [(self._subject.trained[name], each) for name, each in values.items()]
                )
        found = []
        for number in range(len(next(iter(values.values())))):
            one = {name: each[number] for name, each in values.items()}
            with self.computing.passing():
                found.append(torch.func.functional_call(self._subject.module, one, (self._examples,)))
        return torch.stack(found)

    def _changes(self, outputs: Any, part: Part) -> Any:
        """How much each example's loss changes, (experiments, examples), for outputs of a part of them."""
        before = self.losses if part.examples is None else self.losses[_numbers(part.examples)]
        if not isinstance(outputs, Rows):
            return self.computing.tensor(without_overflows(self._losses(outputs, part.examples) - before))
        changes = torch.zeros(outputs.tried, len(before))
        at = outputs.examples if part.examples is None else part.examples[outputs.examples]
        if len(at):
            found = without_overflows(self._losses(outputs.values, at)[0] - self.losses[_numbers(at)])
            changes = outputs._replace(values=self.computing.tensor(found)).put(changes)
        return changes

    def _losses(self, outputs: Any, examples: Any = None) -> Array:
        """Every example's loss, (experiments, examples), from the module's outputs for all examples, or for some."""
        found = self._subject.of_outputs(outputs)
        found = found.reshape(-1, *found.shape[-2:]).transpose(1, 2)
        found = array_of(found.clone(memory_format=torch.contiguous_format))
        return self._losses_of(found) if examples is None else self._losses_of(found, _numbers(examples))

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


def _numbers(examples: Any) -> NDArray[np.intp]:
    found: NDArray[np.intp] = examples.cpu().numpy()
    return found


def _by_call(added: Sequence[Span | None], found: Found, places: Sequence[int]) -> dict[int, Span]:
    """What is added to each call of a layer, by its place among all calls."""
    pairs = ((place, added[which]) for place, which in zip(places, found.calls, strict=True))
    return {place: each for place, each in pairs if each is not None}
