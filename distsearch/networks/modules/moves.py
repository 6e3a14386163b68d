"""Moves of a layer's nodes: which are moved together, in which shape they are added, and what their slopes tell."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import torch

from distsearch.networks.modules.columns import Columns, Span
from distsearch.networks.modules.engine import in_any_order
from distsearch.networks.modules.tape import Call
from distsearch.networks.modules.trial import Found

T = TypeVar("T")

Moved = tuple[slice, slice]
"""The nodes and the places that an experiment moves, among those that are looked at."""


@dataclass(frozen=True)
class Moves:
    """Moves of the nodes `at` of a layer, at all places, for a number of examples."""

    found: Found
    calls: Sequence[Call]  # of the layer
    at: slice
    count: int
    at_once: bool = False
    """Whether all experiments are written by one operation: a tenth of a GPU's calls, and slower on a processor."""

    def of_examples(self, examples: Any) -> "Moves":
        """The same moves for some of the examples, whose numbers are given."""
        calls = [call._replace(outputs=call.outputs[examples]) for call in self.calls]
        return replace(self, calls=calls, count=len(examples))

    def experiments(self, group: int, parts: int) -> list[list[Moved]]:
        """Groups of nodes, each at a part of the places. Those of a list are computed together.

        The places are every `parts`-th one; of a layer that is called for several steps, those of a run of steps, as
        what is below the first of them is not computed again: the earliest run first. Groups of a size are in the same
        list.
        """
        nodes = self.at.stop - self.at.start
        whole = nodes - nodes % group
        sizes = [
            [slice(start, min(start + group, nodes)) for start in starts]
            for starts in (range(0, whole, group), range(whole, nodes, group))
        ]
        if parts > 1 and self.found.inputs > 1:
            return [[(some, run) for run in self._runs(parts) for some in groups] for groups in sizes]
        return [[(some, slice(part, None, parts)) for some in groups for part in range(parts)] for groups in sizes]

    def _runs(self, parts: int) -> list[slice]:
        """The places of runs of steps, one after the other: the later, the shorter.

        When k of K runs are left, (k / K)² of the steps are. A run costs as much as all steps from its first on, and
        its noise grows with the square of its length: so divided, cost times noise is least if all steps matter alike;
        it is less still if the last ones matter most.
        """
        ends = [0]
        for call in self._different():
            ends.append(ends[-1] + self._places(call))
        count = len(ends) - 1
        left = (max(int(count * (number / parts) ** 2 + 0.5), number) for number in range(parts, -1, -1))
        return [slice(begin, end, 1) for begin, end in pairwise(ends[count - each] for each in left)]

    def added(self, experiments: Sequence[Moved], steps: Any) -> list[Span | None]:
        """What experiments of the same size add to the layer's outputs, for each of its different inputs.

        It is None for inputs of which no place is moved.

        Steps are (nodes, places, examples).
        """
        if at_all_places(experiments) and self.found.inputs == 1:
            some, size = slice(experiments[0][0].start, experiments[-1][0].stop), len(experiments)
            nodes = torch.arange(some.start, some.stop).reshape(size, -1)
            values = steps[some].reshape(size, -1, *steps.shape[1:]).permute(0, 3, 2, 1).contiguous()
            (call,) = self._different()
            return [self._span(values, nodes, call, 0)]
        nodes = torch.tensor([range(at.start, at.stop) for at, _ in experiments])
        moved = np.zeros((len(experiments), self.found.places), bool)
        for row, (_, places) in zip(moved, experiments, strict=True):
            row[places] = True
        by_input = zip(self._by_input(torch.from_numpy(moved), 1), self._by_input(steps, 1), strict=True)
        found: list[Span | None] = []
        for (here, call), (steps_here, _) in by_input:
            numbers = here.any(1).nonzero().flatten().tolist()
            if not numbers:
                found.append(None)
                continue
            some = slice(numbers[0], numbers[-1] + 1)
            if here[some].all():
                values = steps_here[nodes[some]].permute(0, 3, 2, 1).contiguous()
            else:
                values = torch.zeros(len(nodes), self.count, self.found.places, nodes.shape[1])
                self._fill(values, experiments, steps)
            found.append(self._span(values, nodes[some], call, some.start))
        return found

    def _span(self, values: Any, nodes: Any, call: Call, first: int) -> Span:
        """Values, (experiments, examples, places, nodes), added to a call's outputs, from the first experiment on."""
        axis = self.found.layer.axis
        axis = axis if axis < 0 else axis - call.outputs.dim()
        return Span(Columns(self._as_outputs(values, call), nodes + self.at.start, axis), first)

    def _fill(self, values: Any, experiments: Sequence[Moved], steps: Any) -> None:
        """Write the steps of experiments to values, (experiments, examples, places, nodes)."""
        if self.at_once:
            which, node, place, column = self._each(experiments)
            with in_any_order():
                values.permute(0, 2, 3, 1)[which, place, column] = steps[node, place]
            return
        for one, (at, places) in zip(values, experiments, strict=True):
            one[:, places] = steps[at, places].permute(2, 1, 0)

    def write_slopes(self, experiments: Sequence[Moved], changes: Any, steps: Any, slopes: Any) -> None:
        """Write what changes of the losses, (experiments, examples), say to slopes, (nodes, places, examples)."""
        if at_all_places(experiments):
            some, size = slice(experiments[0][0].start, experiments[-1][0].stop), len(experiments)
            moved = steps[some].unflatten(0, (size, -1))  # (experiments, nodes of each, places, examples)
            torch.div(changes[:, None, None], moved, out=slopes[some].unflatten(0, (size, -1)))
            return
        if self.at_once:
            which, node, place, _ = self._each(experiments)
            with in_any_order():
                slopes[node, place] = changes[which] / steps[node, place]
            return
        for change, moved in zip(changes, experiments, strict=True):
            slopes[moved] = change / steps[moved]

    def _each(self, experiments: Sequence[Moved]) -> Any:
        """Every move of every experiment, (4, moves): which experiment, the node, the place, and which of its nodes."""
        found = []
        for number, (nodes, places) in enumerate(experiments):
            at = np.arange(self.found.places)[places]
            columns = np.arange(nodes.stop - nodes.start).repeat(len(at))
            moved = np.tile(at, nodes.stop - nodes.start)
            found.append(np.stack([np.full(moved.size, number), nodes.start + columns, moved, columns]))
        return torch.tensor(np.concatenate(found, 1))

    def gradient(self, slopes: Any) -> Any:
        """The gradient of the nodes' weights, (nodes, weights of each), from slopes, (nodes, places, examples)."""
        biases = slopes.sum((1, 2))[:, None]
        found: Any = 0
        for some, call in self._by_input(slopes.permute(2, 1, 0), 1):
            found = found + call.kind.gradient(self._as_outputs(some[None], call)[0], self.at.start, self.at.stop)
        return found if self.found.layer.bias is None else torch.cat([found, biases], 1)

    def _by_input(self, tensor: Any, axis: int) -> Iterator[tuple[Any, Call]]:
        """The parts of a tensor, along its axis of places, that are of the layer's different inputs."""
        start = 0
        for call in self._different():
            places = self._places(call)
            yield tensor.narrow(axis, start, places), call
            start += places

    def _different(self) -> Iterable[Call]:
        """The first call of each of the layer's different inputs."""
        seen: dict[int, Call] = {}
        for number, call in zip(self.found.calls, self.calls, strict=True):
            seen.setdefault(number, call)
        return seen.values()

    def _places(self, call: Call) -> int:
        return call.outputs.numel() // (self.count * self.found.nodes)

    def _as_outputs(self, tensor: Any, call: Call) -> Any:
        """What is (experiments, examples, places, nodes), in the shape of a call's outputs with so many nodes."""
        axis = self.found.layer.axis
        lead = call.outputs.movedim(axis, -1).shape[:-1]
        if self.found.axes.second:
            tensor = tensor.transpose(1, 2)
        last = tensor.reshape(len(tensor), *lead, tensor.shape[-1])
        return last.movedim(-1, axis if axis < 0 else axis + 1)


def at_all_places(experiments: Sequence[Moved]) -> bool:
    """Whether each of these experiments moves its nodes at all places, and so their nodes follow each other."""
    everywhere = slice(0, None, 1)
    return all(places == everywhere for _, places in experiments)


def together(experiments: Sequence[T], numbers: float, room: int) -> Iterator[Sequence[T]]:
    """Runs of experiments that are computed together, if each makes so many numbers, in so many bytes."""
    size = max(1, int(room / (4 * numbers)))
    for start in range(0, len(experiments), size):
        yield experiments[start : start + size]
