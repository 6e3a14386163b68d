"""A torch module as a network whose flat weights are searched."""

import copy
from collections.abc import Callable, Mapping
from functools import cached_property
from math import inf
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from distsearch.candidates.base import Candidates, Shared
from distsearch.candidates.blocks import NodeLayer
from distsearch.errors import SettingError
from distsearch.networks.graph import Graph, Value
from distsearch.networks.modules import devices, making, onnx_graph, states
from distsearch.networks.modules.candidates import all_outputs, nudges_agree, stacks_agree, with_each
from distsearch.networks.modules.declared import undeclare
from distsearch.networks.modules.devices import CPU
from distsearch.networks.modules.engine import ON_CPU, Computing, array_of, exactly
from distsearch.networks.modules.examples import Batch, made_up
from distsearch.networks.modules.experiments import NOT_TOGETHER, ModuleExperiments, Subject
from distsearch.networks.modules.folders import Folders
from distsearch.networks.modules.parameters import Parameters, Use
from distsearch.networks.modules.plan import Plans
from distsearch.networks.modules.pricing import parts_of, priced
from distsearch.networks.modules.rows import NOT_ALONE, Alone
from distsearch.networks.modules.trial import Anatomy, Found, examined
from distsearch.networks.trainable import ONE, Described, LossesOf, Trainable

Array = NDArray[np.float32]

DRAWS = 1 << 53  # seeds of torch's generator
BELOW_ONE = 0.75


class ModuleNetwork(Trainable):
    """A module, from a factory, a class or a module itself, for examples of a shape; its weights are its parameters.

    The shape is (features,), or (height, width, channels) of images, which the module sees with their channels first.
    """

    named_by = "--model"

    def __init__(
        self,
        source: Any,
        shape: tuple[int, ...],
        outputs: int,
        expected: str | None,
        trainable: tuple[str, ...] = (),
        computing: Computing = ON_CPU,
    ) -> None:
        """Raises SettingError if the module cannot be searched; `expected` says what its outputs are for.

        That is None where the loss is given the module itself: then nothing is known of what it does with inputs.
        `trainable` are patterns of the names of its parameters that are searched; if there are none, it is those that
        require gradients.
        """
        self._source = source
        self._trainable = trainable
        self._shape = shape
        self._outputs = outputs
        self._most_made_up = inf
        self.computing = computing
        self.module = making.made(source, self.drawn, trainable).to(computing.here)
        shapes = {name: tuple(each.shape) for name, each in self.trained.items()}
        self._has_outputs = expected is not None
        if expected is None:
            self.anatomy = Anatomy((), 1.0, sum(each.numel() for each in self.trained.values()), 1, jumps=False)
        else:
            self.anatomy = self._examined(expected)
        self.parameters = Parameters(shapes, [_use(each) for each in self.anatomy.layers])
        self.blocks = self.parameters.blocks
        self.weights_count = self.parameters.count
        self._latest: tuple[Shared, Any] | None = None
        self._recorded = self._record_agrees()
        self._alone = self._alone_in_record()
        self.nudged = True
        """Whether low-rank candidates are evaluated without making their matrices."""
        self.stacked = False
        """Whether many candidates are evaluated in one call."""
        self.nudged = nudges_agree(self, self._made_up_inputs() if self._has_outputs else None)
        self.stacked = computing.on_gpu and self._has_outputs and stacks_agree(self, self._made_up_inputs())
        self.one_by_one = not self.stacked
        self.tile_bytes = computing.room if self.stacked else None

    def _examined(self, expected: str) -> Anatomy:
        """What the module consists of; columns of 0 and 1, as it may look up in a table, are made up if need be."""
        try:
            return examined(self.module, self.trained, self._made_up(), self._outputs, expected, self.computing)
        except SettingError as error:
            if not isinstance(error.__cause__, IndexError):
                raise
        self._most_made_up = BELOW_ONE
        return examined(self.module, self.trained, self._made_up(), self._outputs, expected, self.computing)

    def __reduce__(self) -> tuple[Any, ...]:
        module = self.module if self.computing.here == CPU else copy.deepcopy(self.module).to(CPU)
        state = {**self.__dict__, "_latest": None, "module": module}
        state.pop("_subject", None)
        return _restored, (Folders.of([getattr(self._source, "source", self._source), *self.module.modules()]), state)

    @property
    def trained(self) -> dict[str, Any]:
        """The module's parameters that are searched, by their names: those that require gradients."""
        return {name: each for name, each in self.module.named_parameters() if each.requires_grad and each.numel()}

    @property
    def notes(self) -> list[str]:
        """Sentences on what of the module behaves otherwise than in training with gradients."""
        return making.notes_on(self.module)

    @property
    def device(self) -> str:
        """The name of the GPU that it is on in this process; empty on the processor."""
        return devices.gpu() if self.computing.on_gpu else ""

    @property
    def outputs(self) -> int:
        """The number of outputs for an example."""
        return self._outputs

    @property
    def jumps(self) -> bool:
        """Whether any operation in it jumps."""
        return self.anatomy.jumps

    @property
    def neurons(self) -> int:
        """The numbers that a forward pass makes of an example."""
        return max(1, self.anatomy.elements)

    @property
    def windows(self) -> int:
        """Chunks are of examples alone."""
        return 1

    @cached_property
    def node_layers(self) -> tuple[NodeLayer, ...]:
        """The nodes of its layers, and after them the weights outside of layers, one sign each.

        Empty if it has no layers, or too many weights outside of them.
        """
        return priced(self.anatomy, self.weights_count - self.parameters.loose, self.computing.on_gpu)

    def described(self) -> list[Described]:
        """The layers whose nodes can be moved, and all other weights."""
        layers = [
            Described(
                each.layer.kind,
                (each.places, each.nodes) if each.places > 1 else (each.nodes,),
                each.nodes * each.width,
                (32,),
            )
            for each in self.anatomy.layers
        ]
        if loose := self.weights_count - self.parameters.loose:
            layers.append(Described("other weights", (), loose, (32,)))
        return layers

    def start(self, kind: str | None, seed: int) -> Array:
        """The module's own initial weights, (n,), drawn from the seed; what is frozen is drawn from it as well.

        SettingError if another kind is wanted.
        """
        if kind is not None:
            raise SettingError(f"network.start: a model brings its own initial weights, got {kind}: leave it out")
        self._make(seed)
        return self.parameters.flat({name: array_of(each) for name, each in self.trained.items()})

    def redraw(self, seed: int) -> None:
        """Make the module again, with what is not searched of it drawn from a seed, unless it is drawn from that."""
        if seed != self.drawn:
            self._make(seed)

    def _make(self, seed: int) -> None:
        del self.module  # two at once would take twice the memory
        self.__dict__.pop("_subject", None)
        self.module = making.made(self._source, seed, self._trainable).to(self.computing.here)
        self.drawn = seed

    def with_weights(self, weights: Array) -> Any:
        """A copy of the module with these weights, (n,), on the processor."""
        self.load(weights)
        return undeclare(copy.deepcopy(self.module)).to(CPU)

    def load(self, weights: Array) -> None:
        """Put weights, (n,), into the module."""
        flat, trained = self.computing.tensor(np.array(weights, np.float32)), self.trained
        for name, place in self.parameters.placed.items():
            trained[name].detach().copy_(place.read(flat))

    def examples(self, inputs: Array) -> Any:
        """Inputs, (features + 1, examples), as the module takes them: (examples, features), or images."""
        return self.shaped(self.computing.tensor(np.ascontiguousarray(inputs[:-1].T)))

    def shaped(self, features: Any) -> Any:
        """Features, (examples, features), as the module takes them."""
        if len(self._shape) == 3:
            return features.reshape(-1, *self._shape).permute(0, 3, 1, 2).contiguous()
        return features.reshape(-1, *self._shape).clone()  # in torch's own memory, which is aligned everywhere alike

    def of_outputs(self, outputs: Any) -> Any:
        """The module's outputs as (…, examples, outputs), also where it returns one number for each example."""
        if not self.anatomy.flat:
            return outputs
        single = outputs.dim() == 0  # example, of which `squeeze` makes a number without a shape
        return outputs.reshape(1, 1) if single else outputs.unsqueeze(-1)

    @exactly
    def forward(self, candidates: Candidates, inputs: Shared) -> Array:
        """The outputs of every candidate, (candidates, outputs, examples).

        Of low-rank candidates, no matrix is made for a layer.
        """
        if not self._has_outputs:
            raise SettingError(
                "the loss takes the module itself, so nothing is known of its outputs: use the module itself, with "
                "best.safetensors loaded into it, or as result.module"
            )
        if self._latest is None or self._latest[0] is not inputs:
            self._latest = inputs, self.examples(inputs.array)
        examples = self._latest[1]
        outputs = np.empty((len(candidates), self.outputs, inputs.array.shape[1]), np.float32)
        for number, each in enumerate(all_outputs(self, candidates, examples)):
            outputs[number] = array_of(self.of_outputs(each).T)
        return outputs

    @exactly
    def scored(
        self,
        candidates: Candidates,
        inputs: Array,
        targets: NDArray[Any],
        value: Callable[[Any, Any, int], float],
        draw: float,
    ) -> list[float]:
        """What `value` makes of the module with each candidate's weights, a batch, and the number of its examples."""
        found = []
        for given in with_each(self, candidates):
            with given, self.computing.seeded(int(draw * DRAWS)), self.computing.passing():
                batch = Batch(self.examples(inputs), self.computing.tensor(targets.copy()))
                found.append(value(self.module, batch, inputs.shape[1]))
        return found

    @exactly
    def express(self, graph: Graph, weights: Array, features: Value) -> Value:
        """Add the module with some weights, (n,), to a graph of ONNX's. SettingError if torch cannot write it so."""
        module = onnx_graph.Flat(self.with_weights(weights), self.shaped, self.of_outputs)
        with torch.device(CPU):
            return onnx_graph.express(module, graph, features, torch.from_numpy(self._made_up_inputs()[:-1].T.copy()))

    @exactly
    def experiments(
        self, weights: Array, inputs: Array, losses_of: LossesOf, unit: np.float64 = ONE
    ) -> ModuleExperiments:
        """The forward pass of the weights, (n,), on inputs, and what moving nodes changes in it."""
        self.load(weights)
        return ModuleExperiments(self._subject, self.examples(inputs), losses_of, unit)

    @exactly
    def _record_agrees(self) -> bool:
        """Whether a record of a pass is what the module does; found with its first weights, so the same everywhere."""
        if not self.node_layers:
            return False
        return self._tried(self._made_up()).record_agrees()

    @exactly
    def _alone_in_record(self) -> Alone:
        """What of a record can be done again for some examples alone; nothing, unless the same comes of it."""
        if not self._recorded:
            return NOT_ALONE
        first, other = self._made_up(), self._made_up()
        other[0] = other[1]
        alone = Alone.of(*(self._tried(each).recording for each in (first, other)))
        try:
            return alone if self._tried(first, alone).record_agrees() else NOT_ALONE
        except NOT_TOGETHER:
            return NOT_ALONE

    def _tried(self, examples: Any, alone: Alone = NOT_ALONE) -> ModuleExperiments:
        """A forward pass on made-up examples."""
        subject = self._subject_of(recorded=True, alone=alone)
        return ModuleExperiments(subject, examples, lambda outputs, _=None: outputs[:, 0], ONE)

    @cached_property
    def _subject(self) -> Subject:
        return self._subject_of(recorded=self._recorded, alone=self._alone)

    def _subject_of(self, *, recorded: bool, alone: Alone = NOT_ALONE) -> Subject:
        layers = self.anatomy.layers
        return Subject(
            self.module,
            self.trained,
            self.parameters,
            layers,
            self.node_layers,
            tuple(
                parts_of(each, layer.groups, self.anatomy)
                for each, layer in zip(layers, self.node_layers, strict=False)
            ),
            self.of_outputs,
            self.neurons,
            self.computing,
            recorded,
            Plans(alone),
        )

    def rounded(self, weights: Array) -> Array:
        """The flat weights, (n,): whatever rounds them is inside the module."""
        return weights

    def named(self, weights: Array) -> dict[str, Array]:
        """The module's state as `load_state_dict` takes it, with these weights, (n,)."""
        return states.named(self.module, self.trained, self.parameters, weights)

    def flat(self, arrays: Mapping[str, Array]) -> Array:
        """The flat weights, (n,), from what `named` returned. Raises KeyError or ValueError if of another module."""
        return states.flat(self.module, self.parameters, arrays)

    @property
    def frozen(self) -> dict[str, Array]:
        """The parameters and buffers of the module's state that are not searched."""
        return states.frozen(self.module, self.trained)

    def adopt(self, arrays: Mapping[str, Array]) -> None:
        """Give these parameters and buffers the values that they have in `arrays`."""
        states.adopt(self.module, self.trained, arrays)

    def _made_up(self) -> Any:
        """Made-up examples as the module takes them."""
        return self.examples(self._made_up_inputs())

    def _made_up_inputs(self) -> Array:
        return made_up(int(np.prod(self._shape)), self._most_made_up)


def _restored(folders: Folders, state: dict[str, Any]) -> ModuleNetwork:
    """What was pickled, on a worker whose Python has found the module's code in its folders by now."""
    network = ModuleNetwork.__new__(ModuleNetwork)
    network.__dict__.update(state)
    network.module.to(network.computing.here)
    return network


def _use(found: Found) -> Use:
    return Use(found.layer.names, found.layer.across)
