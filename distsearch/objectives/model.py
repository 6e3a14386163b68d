"""A trained network: weights and how its data is read, ready to score and to predict."""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from math import nan
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distsearch.candidates.base import Dense, Shared
from distsearch.config.sections import NetworkConfig
from distsearch.data.datasets import Examples
from distsearch.data.labels import labels_of
from distsearch.data.scaling import unscaled_targets
from distsearch.data.schema import Schema
from distsearch.errors import SettingError, brief
from distsearch.machine import one_thread
from distsearch.networks.activations import ACTIVATIONS, WITH_LEVELS
from distsearch.networks.building import Design
from distsearch.networks.kinds import kinds_in, network_of
from distsearch.networks.modules import sources
from distsearch.networks.packing import Layout, Tensors, packed
from distsearch.networks.spikes import LIF, Spikes
from distsearch.networks.trainable import Trainable
from distsearch.objectives import losses, metrics
from distsearch.objectives.base import Objective
from distsearch.objectives.batches import Batches, Columns, with_ones
from distsearch.objectives.constraints import Checked, Constraints
from distsearch.objectives.judging import named_groups, positive_number
from distsearch.objectives.metrics import Outcome
from distsearch.objectives.modules import ModuleObjective
from distsearch.objectives.network import NetworkObjective

Array = NDArray[np.float32]
LOG = logging.getLogger(__name__)

OF_SPIKES = ("time_steps", "membrane_decay", "threshold", "reset", "encoding", "readout")
"""The settings that concern neurons that spike."""

OF_LAYERS = ("layers", "activation", "levels", *OF_SPIKES)
"""Those that concern networks of layers alone, not modules."""

OF_ACTIVATIONS = {"levels": tuple(WITH_LEVELS), **dict.fromkeys(OF_SPIKES, (LIF,))}
"""The activations that look at a setting, by the setting."""

OF_MODULES = ("trainable", "device")
"""Those that concern modules alone."""

BFLOAT16 = "bfloat16"
MODULE_PRECISIONS = ("float32", BFLOAT16)
"""Those of a module's forward passes, which are not those of weights."""

CHUNK = 4096  # examples
CHUNK_BYTES = 128 * 1024 * 1024  # of a chunk's activations: fewer examples of images


class Scores(NamedTuple):
    """How a model does on examples; accuracy is None in regression."""

    loss: float
    accuracy: float | None
    examples: int
    metrics: Mapping[str, float] = MappingProxyType({})
    constraints: Sequence[Checked] = ()

    def document(self) -> dict[str, Any]:
        """All of it by name."""
        figures = self._asdict()
        metrics, constraints = figures.pop("metrics"), figures.pop("constraints")
        checked = {"constraints": [each._asdict() for each in constraints]} if constraints else {}
        return {**figures, **metrics, **checked}


def check(config: NetworkConfig) -> None:
    """SettingError for settings that do nothing in a network of layers, whatever the data."""
    if config.model:
        return
    for name in OF_MODULES:
        if is_set(config, name):
            raise SettingError(f"network.{name}: is of a torch module: name one with --model, or leave it out")
    if BFLOAT16 in config.precision:
        raise SettingError(
            "network.precision: bfloat16 is of a torch module's forward passes: name one with --model, or choose "
            "float32, int8, ternary or binary"
        )
    _check_activations(config)


def _check_activations(config: NetworkConfig) -> None:
    """SettingError for a setting that no activation looks at; layers and activations of one's own may do so."""
    if any(":" in kind for kind in kinds_in(config.layers)) or not ACTIVATIONS.own.keys() >= set(config.activation):
        return
    for name, takers in OF_ACTIVATIONS.items():
        if is_set(config, name) and not set(takers) & set(config.activation):
            raise SettingError(
                f"network.{name}: has no effect with the activation {','.join(config.activation)}: leave it out, or "
                f"choose the activation {' or '.join(takers)}"
            )


def is_set(config: NetworkConfig, name: str) -> bool:
    """Whether a setting is another than the usual one."""
    return bool(getattr(config, name) != getattr(NetworkConfig(), name))


def how_to_shrink(config: NetworkConfig) -> str:
    """What makes a network smaller that does not fit the memory."""
    if config.model:
        return "choose a smaller --model"
    fewer = "give it fewer or narrower --layers"
    return f"{fewer}, or fewer --time-steps" if LIF in config.activation else fewer


def network_for(config: NetworkConfig, schema: Schema, given: Any = None) -> Trainable:
    """The network that the configuration and the data call for.

    Or a module around `given`, which is a torch module or makes one. SettingError if a module cannot be searched.
    """
    if config.model:
        return _module_for(config, schema, given)
    check(config)
    return network_of(design_of(config), schema.shape or (len(schema.inputs),), schema.outputs, schema.feature_bits)


def _module_for(config: NetworkConfig, schema: Schema, given: Any) -> Trainable:
    for name in OF_LAYERS:
        if is_set(config, name):
            raise SettingError(f"network.{name}: has no effect, as the model brings its own layers: leave it out")
    source = sources.find(config.model) if given is None else given
    from distsearch.networks.modules.engine import Computing  # imports torch
    from distsearch.networks.modules.network import ModuleNetwork

    count = schema.outputs
    if losses.is_of_module(config.loss):
        expected = None
    else:
        each = "of the classes" if schema.classes is not None else "number to be predicted"
        expected = f"one for each {each}"
    computing = Computing(config.device, _precision_of(config))
    return ModuleNetwork(source, schema.shape or (len(schema.inputs),), count, expected, config.trainable, computing)


def _precision_of(config: NetworkConfig) -> str:
    """That of a module's forward passes. SettingError if it is one of weights."""
    (found, *others) = config.precision
    if others or found not in MODULE_PRECISIONS:
        raise SettingError(
            f"network.precision: expected {' or '.join(MODULE_PRECISIONS)} for a model's forward passes, got "
            f"{brief(','.join(config.precision))}: to round weights, do so inside the module"
        )
    return found


def design_of(config: NetworkConfig) -> Design:
    """What the configuration says of the network."""
    spikes = Spikes(
        config.time_steps, config.membrane_decay, config.threshold, config.reset, config.encoding, config.readout
    )
    return Design(config.layers, config.activation, config.precision, config.levels, spikes)


def start_for(config: NetworkConfig, schema: Schema | None = None) -> str | None:
    """The name of the initial weights that the configuration calls for, or that suit its network if it says none.

    The course's own are too small for standardised targets: a few steps of the output's bias, and all units are dead.
    None for a module, which brings its own.
    """
    if config.model:
        return config.start
    design = design_of(config)
    standardised = schema is not None and schema.target_mean is not None
    return config.start or design.suited_start(small=not standardised)


class Model:
    """A network, its weights (n,), and the schema of its data."""

    def __init__(self, config: NetworkConfig, schema: Schema, weights: Array, network: Trainable | None = None) -> None:
        self.config = config
        self.schema = schema
        self.weights = weights
        self._network = network or network_for(config, schema)
        self._loss = losses.recalled(config, schema.classes, schema.outputs)

    @classmethod
    def of_tensors(cls, config: NetworkConfig, schema: Schema, tensors: dict[str, Array], drawn: int = 0) -> "Model":
        """The model whose weights are these tensors, by their names. KeyError or ValueError if they do not fit.

        drawn: the seed that the rest of its network was drawn from, see `Trainable.drawn`.
        """
        network = network_for(config, schema)
        network.redraw(drawn)
        weights = network.flat(tensors)
        network.adopt(tensors)
        return cls(config, schema, weights, network)

    @property
    def network(self) -> Trainable:
        """The network itself."""
        return self._network

    @property
    def weights_count(self) -> int:
        """The number of weights that its network has."""
        return self._network.weights_count

    @property
    def labels(self) -> NDArray[Any] | None:
        """The labels in the order of the outputs, (classes,), of the training's type; None if numbers are predicted."""
        schema = self.schema
        return None if schema.classes is None else labels_of(schema.classes, schema.label_type)

    @property
    def gives_probabilities(self) -> bool:
        """Whether its outputs are logarithms of probabilities, as cross-entropy trains them to be."""
        return self._loss.probable

    @property
    def gives_logarithms(self) -> bool:
        """Whether its outputs are logarithms of the predicted numbers, as the Poisson loss trains them to be."""
        return self._loss.logarithms

    @property
    def tensors(self) -> dict[str, Array]:
        """The weights as the network's tensors, by their names."""
        return self._network.named(self.weights)

    def packed(self) -> tuple[Tensors, dict[str, Layout]]:
        """The network's tensors as its forward pass sees them, and how those of few bits are packed."""
        return packed(self._network, self.weights)

    def scores(self, examples: Examples, metric_names: Iterable[str] = ()) -> Scores:
        """Loss, accuracy and metrics on examples; on those it was trained on, the loss is the recorded one to the bit.

        Raises SettingError if a metric is unknown or does not fit.
        """
        columns = Columns.of(examples, self.schema)
        unit = self.schema.loss_unit(self._loss.degree)
        classes = self.schema.classes is not None
        objective: Objective
        if isinstance(self._loss, losses.ModuleLoss):
            objective = ModuleObjective(self._network, self._loss, Batches(columns))
        else:
            objective = NetworkObjective(self._network, self._loss, Batches(columns), None, classes, unit)
        with one_thread():
            measured = objective.measure(self.weights)
        names, constraints = tuple(metric_names), Constraints(self.config.subject_to)
        values = self._metrics(examples, {*names, *constraints.names})
        chosen = {name: values[name] for name in names}
        return Scores(measured.loss or 0.0, measured.accuracy, len(columns), chosen, constraints.checked(values))

    def _metrics(self, examples: Examples, names: Collection[str]) -> dict[str, float]:
        if not names:
            return {}
        metrics.check(names, classes=self.labels is not None)
        if missing := [name for name in metrics.columns_in(names) if name not in (self.schema.groups or ())]:
            raise SettingError(
                f"gap({missing[0]}): training did not look at the column {missing[0]!r}: train with "
                f"--metrics 'gap({missing[0]})'"
            )
        outcome = self.outcome(examples)
        found = metrics.measured(names, outcome)
        unsaid = metrics.meaningless(sorted(found), outcome)
        if unsaid and outcome.labels is not None:
            only = brief(str(outcome.labels[outcome.truth[0]]))
            LOG.warning(f"{' and '.join(unsaid)}: expected examples of at least two classes, got only {only}")
        return {**found, **dict.fromkeys(unsaid, nan)}

    def outcome(self, examples: Examples) -> Outcome:
        """What it makes of labelled examples, for metrics."""
        outputs, positive = self.outputs(examples.features), positive_number(self.config, self.schema)
        labels, groups = self.labels, named_groups(examples.beside.groups, self.schema)
        if labels is not None:
            return Outcome.of_classes(examples.targets, outputs, labels, positive, self.gives_probabilities, groups)
        return Outcome(self.targets(examples), outputs, self.numbers(outputs))

    def outputs(self, features: Array) -> Array:
        """The network's outputs, (examples, outputs), for scaled features, (examples, features)."""
        candidate = Dense(self.weights[np.newaxis])
        size = max(1, min(CHUNK, CHUNK_BYTES // (4 * self._network.neurons)))
        if not len(features):
            return np.empty((0, self.schema.outputs), np.float32)
        chunks = []
        with one_thread():
            for start in range(0, len(features), size):
                inputs = Shared(with_ones(features[start : start + size]))
                chunks.append(self._network.forward(candidate, inputs)[0].T.copy())
        return np.concatenate(chunks)

    def predict(self, features: Array) -> NDArray[Any]:
        """For scaled features, (examples, features): labels or numbers, of the type and shape of the training's."""
        outputs = self.outputs(features)
        if (labels := self.labels) is not None:
            found = labels[outputs.argmax(axis=1)]
            return found if self.schema.flat else found[:, np.newaxis]
        numbers = self.numbers(outputs)
        return numbers[:, 0] if self.schema.flat and self.schema.outputs == 1 else numbers

    def targets(self, examples: Examples) -> NDArray[Any]:
        """A regression's targets, (examples, outputs), in their own units."""
        return unscaled_targets(examples.targets, self.schema)

    def numbers(self, outputs: Array) -> NDArray[Any]:
        """What a regression's outputs, (examples, outputs), are in the targets' own units."""
        return unscaled_targets(self._loss.predictions(outputs), self.schema)

    def probabilities(self, outputs: Array) -> Array | None:
        """The softmax of outputs, (examples, outputs); None unless it was trained by cross-entropy."""
        if not self.gives_probabilities:
            return None
        powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)
