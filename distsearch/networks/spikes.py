"""Spiking neurons: leaky integrate-and-fire, in discrete time steps.

A neuron's membrane leaks and integrates, v ← β v + I; if v ≥ θ it fires, and v is reset. (Eshraghian 2023, "Training
spiking neural networks using lessons from deep learning", arXiv 2109.12894; the reset takes effect at once, as in the
networks of PolyStep, arXiv 2605.01928.) Columns are time steps times examples, all examples of the first step first.
Examples reach the first layer as a constant current, whose sums all steps share, or coded as spikes.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distsearch.errors import SettingError, unknown
from distsearch.networks.graph import Graph, Operand, Value
from distsearch.networks.neurons import Neurons
from distsearch.randomness import Stream, uniform

Array = NDArray[np.float32]
Places = NDArray[np.intp]

LIF = "lif"
RESETS = ("zero", "subtract")
ENCODINGS = ("constant", "rate")
READOUTS = ("counts", "membrane")

GAIN = 3.0  # the output of a neuron that spikes at each step; larger ones make losses that bend too much to be learnt
MARGIN = 1.5  # times the least constant current that makes a neuron spike


class Spikes(NamedTuple):
    """How neurons spike, and how numbers become spikes and spikes outputs."""

    time_steps: int = 15
    decay: float = 0.95
    """The share of its potential that a membrane keeps from one step to the next."""
    threshold: float = 1.0
    reset: str = "subtract"
    """What a spike does to the membrane: `subtract` takes the threshold from it, `zero` sets it to 0."""
    encoding: str = "constant"
    """What the first layer sees: `constant`, the example at each step; `rate`, spikes as frequent as it is large."""
    readout: str = "membrane"
    """The outputs: the `membrane` of neurons that do not spike, or `counts` of spikes. A loss follows every move of a
    membrane, but counts only change where one more spike is fired."""

    @property
    def gathered(self) -> float:
        """The potential that a constant current of 1 comes to if there are no spikes: Σ βᵗ over the time steps."""
        if self.decay == 1:
            return self.time_steps
        return (1 - self.decay**self.time_steps) / (1 - self.decay)

    def check(self) -> None:
        """Raise SettingError for an unknown word."""
        for setting, name, known in (
            ("reset", self.reset, RESETS),
            ("encoding", self.encoding, ENCODINGS),
            ("readout", self.readout, READOUTS),
        ):
            if name not in known:
                raise SettingError(f"network.{setting}: {unknown(setting, name, known)}")


SPIKES = Spikes()


class Spiking(Neurons):
    """Leaky integrate-and-fire neurons, fed by sums of each time step, or by the same ones at every step."""

    jumps = True
    spiking = True

    def __init__(self, spikes: Spikes, times_below: int = 1) -> None:
        self.times = spikes.time_steps
        self.smallest_step = spikes.threshold
        self._spikes = spikes
        self._different = times_below  # sums: one for each step, or one for all

    def apply(self, sums: Array, zeros: Array) -> Array:
        """The spikes, (experiments, rows, steps · examples), of sums of as many columns, or of all steps' own."""
        spikes = self._over(sums)
        spikes[:, -1] = 1
        return spikes.reshape(*sums.shape[:2], -1)

    def recurrent(self, sums: Array, own: Array) -> Array:
        """The same, (experiments, neurons + 1, steps · examples), with a row of ones, if spikes are fed back.

        sums are (experiments, neurons, columns). own, (neurons, neurons) or (experiments, neurons, neurons), times the
        spikes of a step come to the sums of the next.
        """
        given = list(self._by_step(sums))
        spikes = np.ones((len(sums), sums.shape[1] + 1, self.times, given[0].shape[2]), np.float32)

        def currents() -> Iterator[Array]:
            yield given[0]
            for step in range(1, self.times):
                yield given[step] + np.matmul(own, spikes[:, :-1, step - 1])

        for step, silent in enumerate(self._silences(currents())):
            np.subtract(np.float32(1), silent, out=spikes[:, :-1, step])
        return spikes.reshape(*spikes.shape[:2], -1)

    def express(self, graph: Graph, sums: list[Value]) -> list[Value]:
        """The spikes of each step, of sums of each step, or of one for all."""
        return [graph.add("Sub", 1.0, silent) for silent in self._express_silences(graph, sums)]

    def express_recurrent(self, graph: Graph, sums: list[Value], own: Array) -> list[Value]:
        """The same, if spikes are fed back, by the matrix `own`, (neurons, neurons)."""
        return [graph.add("Sub", 1.0, silent) for silent in self._express_silences(graph, sums, own)]

    def _express_silences(self, graph: Graph, sums: list[Value], own: Array | None = None) -> Iterator[Value]:
        """Who does not fire at each step."""
        decay, threshold = self._spikes.decay, self._spikes.threshold
        membrane = sums[0]
        for step in range(self._spikes.time_steps):
            silent = graph.truth("Less", membrane, threshold)
            yield silent
            fired = graph.add("Sub", 1.0, silent)
            current = sums[(step + 1) % len(sums)]
            if own is not None:
                current = graph.add("Add", current, graph.add("MatMul", fired, np.ascontiguousarray(own.T)))
            if self._spikes.reset == "zero":
                left = graph.add("Mul", membrane, silent)
            else:
                left = graph.add("Sub", membrane, graph.add("Mul", fired, threshold))
            membrane = graph.add("Add", graph.add("Mul", left, decay), current)

    def _over(self, sums: Array) -> Array:
        """What is read of the steps of such sums."""
        return self._read(self._silences(self._by_step(sums)))

    def _by_step(self, sums: Array) -> Iterator[Array]:
        """The sums of each step, (experiments, rows, examples)."""
        by_step = sums.reshape(*sums.shape[:2], self._different, -1)
        for step in range(self._spikes.time_steps):
            yield by_step[:, :, step % self._different]

    def _silences(self, currents: Iterable[Array]) -> Iterator[Array]:
        """Who does not fire at each step, ones and zeros, in memory that the next step writes over.

        The currents of each step are of one shape, and are not kept.
        """
        decay, threshold = np.float32(self._spikes.decay), np.float32(self._spikes.threshold)
        each = iter(currents)
        membrane = next(each).copy(order="K")
        silent, lost = np.empty_like(membrane), np.empty_like(membrane)
        while True:
            np.less(membrane, threshold, out=silent)
            yield silent
            current = next(each, None)
            if current is None:
                return
            if self._spikes.reset == "zero":  # by a product, as masks take ten times as long
                membrane *= silent
            else:
                np.subtract(np.float32(1), silent, out=lost)
                membrane -= np.multiply(lost, threshold, out=lost)
            membrane *= decay
            membrane += current

    def _read(self, silences: Iterable[Array]) -> Array:
        """The spikes, (…, rows, steps, columns), of neurons that do not fire, (…, rows, columns), at each step."""
        spikes = np.empty(0, np.float32)
        for step, silent in enumerate(silences):
            if not step:
                spikes = np.empty((*silent.shape[:-1], self._spikes.time_steps, silent.shape[-1]), np.float32)
            np.subtract(np.float32(1), silent, out=spikes[..., step, :])
        return spikes

    def after(self, before: Array, sums: Array, weights: Array, changes: Array) -> Array:
        """As for all neurons; only those examples of each experiment in which something changes are computed again."""
        by_step = changes.reshape(len(changes), self._different, -1)
        changed = np.einsum("kse,kse->ke", by_step, by_step) != 0
        pairs = np.flatnonzero(changed)  # of experiments and examples
        found = self._read(self._silences(_changed(sums[0], weights, by_step, pairs, self._spikes.time_steps)))
        return self._placed(found, pairs, before, len(changes))

    def _placed(self, found: Array, pairs: Places, before: Array, experiments: int) -> Array:
        """The activations of no experiment, (rows, columns), in each, with those found for pairs in their places."""
        after = np.repeat(before[np.newaxis], experiments, axis=0)
        by_step = after.reshape(experiments, len(before), self.times, -1)
        experiment, example = np.divmod(pairs, by_step.shape[3])
        by_step[experiment, : len(found), :, example] = found.transpose(2, 0, 1)
        return after


def _changed(sums: Array, weights: Array, changes: Array, pairs: Places, time_steps: int) -> Iterator[Array]:
    """The sums, (rows, pairs), at each time step, of pairs of experiment and example.

    Those of no experiment are sums, (rows, columns); to them come weights, (experiments, rows), times changes,
    (experiments, steps, examples), of one step, for all, or of each.
    """
    _, steps, examples = changes.shape
    experiment, example = np.divmod(pairs, examples)
    of_step = sums.reshape(len(sums), steps, examples)
    columns = weights.T.take(experiment, axis=1)
    currents, product, change = np.empty_like(columns), np.empty_like(columns), np.empty(len(pairs), np.float32)
    flat, first = changes.reshape(-1), experiment * (steps * examples) + example
    for step in range(time_steps):
        if step < steps:
            of_step[:, step].take(example, axis=1, out=currents, mode="clip")
            flat.take(first + step * examples, out=change, mode="clip")
            currents += np.multiply(columns, change, out=product)
        yield currents


class SpikeCounts(Spiking):
    """Output neurons whose activations are the numbers of their spikes, scaled: of GAIN, if they spike at each step."""

    def __init__(self, spikes: Spikes, times_below: int = 1) -> None:
        super().__init__(spikes, times_below)
        self.times = 1
        # A silent output whose class is right learns only from steps that wake it. They must not go far above, as the
        # loss of the many examples whose class is another bends upward, and would push the output down for ever.
        self.waking = np.float32(MARGIN * spikes.threshold / spikes.gathered)
        self._scale = np.float32(GAIN / spikes.time_steps)

    def apply(self, sums: Array, zeros: Array) -> Array:
        """The scaled counts, (experiments, rows, examples)."""
        return self._over(sums)

    def express(self, graph: Graph, sums: list[Value]) -> list[Value]:
        """The scaled counts."""
        silences = list(self._express_silences(graph, sums))
        counts = silences[0]
        for silent in silences[1:]:
            counts = graph.add("Add", counts, silent)
        spikes = graph.add("Sub", float(self._spikes.time_steps), counts)
        return [graph.add("Mul", spikes, float(self._scale))]

    def _read(self, silences: Iterable[Array]) -> Array:
        """The scaled counts, (…, rows, columns)."""
        each = iter(silences)
        counts = next(each).copy(order="K")
        for silent in each:
            counts += silent
        np.subtract(np.float32(self._spikes.time_steps), counts, out=counts)
        counts *= self._scale
        return counts

    def _placed(self, found: Array, pairs: Places, before: Array, experiments: int) -> Array:
        # In memory (rows, experiments, examples): a row at a time is four times as fast, and losses are faster as well.
        after = np.repeat(before[:, np.newaxis], experiments, axis=1)
        for row, numbers in zip(after.reshape(len(before), -1), found, strict=True):
            row[pairs] = numbers
        return after.swapaxes(0, 1)


class RateCode:
    """Spikes as frequent as an example's numbers are large, for the first layer.

    A feature x of a phase φ has ⌊(t + 1) x + φ⌋ − ⌊t x + φ⌋ spikes at step t: within one of t x after t steps, evenly
    spread (systematic sampling). Numbers above 1 spike more than once a step, those below 0 have negative spikes.
    Phases are drawn by the counter, one for each feature, whatever the example: so spikes depend on nothing but the
    numbers, and are the same whoever computes them.
    """

    def __init__(self, features: int, steps: int) -> None:
        self.steps = steps
        phases = [uniform(0, Stream.PHASES, 0, feature) for feature in range(features)]
        self._phases = np.array(phases, np.float32)[:, np.newaxis]

    def express(self, graph: Graph, features: Value) -> list[Value]:
        """The spikes of each step, (examples, features)."""
        phases, made = self._phases[:, 0], []
        before: Operand = np.floor(phases)
        for step in range(self.steps):
            after = graph.add("Floor", graph.add("Add", graph.add("Mul", features, float(step + 1)), phases))
            made.append(graph.add("Sub", after, before))
            before = after
        return made

    def of(self, inputs: Array) -> Array:
        """The spikes, (features + 1, steps · examples), of examples, (features + 1, examples), and ones."""
        features, examples = len(inputs) - 1, inputs.shape[1]
        coded = np.ones((features + 1, self.steps, examples), np.float32)
        before = np.floor(self._phases)
        for step in range(self.steps):
            after = np.floor(inputs[:-1] * np.float32(step + 1) + self._phases)
            np.subtract(after, before, out=coded[:-1, step])
            before = after
        return coded.reshape(features + 1, -1)
