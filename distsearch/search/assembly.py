"""The one place that puts task, network, objective, strategy and workers together, whichever door a search came by.

A plan follows from the configuration and the shape of the data, and is all that a recorded run needs to be decided
again. An assembly is a plan with the data: ready to search.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import ceil, inf, isinf
from typing import Any

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from distsearch import strategies
from distsearch.config import RunConfig
from distsearch.data.datasets import Dataset
from distsearch.errors import SettingError
from distsearch.machine import memory, one_thread
from distsearch.networks.modules import devices
from distsearch.networks.trainable import Trainable
from distsearch.objectives import influence, losses
from distsearch.objectives.base import Objective, Task
from distsearch.objectives.constraints import NONE, Constraints
from distsearch.objectives.function import FunctionObjective, VectorizedObjective
from distsearch.objectives.judging import Judgement, judgement
from distsearch.objectives.losses import Loss
from distsearch.objectives.model import how_to_shrink, network_for, start_for
from distsearch.objectives.modules import ModuleObjective
from distsearch.objectives.network import SMALLEST_CHUNK, NetworkObjective, task_of
from distsearch.runs import checkpoints, names
from distsearch.runs.history import RoundRecord
from distsearch.search import first_weights
from distsearch.search.data import (
    class_counts,
    class_sums,
    loss_for,
    notes_on,
    rarest_share,
    read_data,
    require_room_for,
    with_loss,
    with_shares,
)
from distsearch.search.first_weights import Given, Learnt
from distsearch.search.limits import Limits
from distsearch.search.naming import in_our_words
from distsearch.search.publishing import with_storage
from distsearch.settings import AUTO
from distsearch.strategies.base import AnyStrategy, State
from distsearch.workers.base import Pool
from distsearch.workers.late import Horizon, LatePool
from distsearch.workers.local import LocalPool
from distsearch.workers.place import check_workers, joins_cluster

MEASURING_SHARE = 0.05  # of the time, where the best is chosen by measuring
MEASURED_EVERY = 10  # rounds, elsewhere
SHORT_EVERY = 50  # where rounds are so short that the calls of a measurement count
SHORT_ROUND = 1_000_000  # multiplications
WEIGHT_BYTES = 32  # of the first, the center's and the best ones, a candidate's, its noise, and what is written
ACTIVATION_BYTES = 8  # with the zeros that it is compared with
CANDIDATE_BYTES = 64  # of a round's losses, their order and their tiles

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Plan:
    """What is searched and how: every setting is checked, and what was left open is chosen."""

    config: RunConfig
    task: Task
    strategy: AnyStrategy
    first: State  # before the first round
    network: Trainable | None  # None where a function is searched
    why: str = ""  # the strategy was chosen, if it was
    given: bool = False  # whether the first weights were given, and do not follow from the seed
    constraints: Constraints = NONE  # that the weights are subject to

    def named(self, weights: Array) -> dict[str, Array]:
        """The weights, (n,), as the tensors that are stored."""
        return {"weights": weights} if self.network is None else self.network.named(weights)

    def start_file(self) -> checkpoints.Content | None:
        """The content of the file of the first weights, and of their loss if that is known; None if none were given."""
        if not self.given:
            return None
        loss = self.first.best.loss
        return self.named(self.first.center), {} if isinf(loss) else {"loss": loss}


@dataclass(frozen=True)
class Assembly:
    """A search that is ready to begin: nothing is written yet."""

    plan: Plan
    objective: Objective
    schema: dict[str, Any] = field(default_factory=dict)  # of the data; empty without
    fingerprint: str = ""  # of the data
    notes: tuple[str, ...] = ()  # on the data
    class_counts: tuple[int, ...] = ()  # training examples of each class

    @property
    def config(self) -> RunConfig:
        """The configuration, in which nothing is left open."""
        return self.plan.config

    @property
    def task(self) -> Task:
        """What is searched."""
        return self.plan.task

    @property
    def strategy(self) -> AnyStrategy:
        """How it is searched."""
        return self.plan.strategy

    def configured(self, config: RunConfig) -> "Assembly":
        """The same with other limits, workers or output."""
        return replace(self, plan=replace(self.plan, config=config))

    def limits(self, done: Sequence[RoundRecord] = ()) -> Limits:
        """When the search ends, after the rounds that are done."""
        return Limits(self.config.stop, done, by_measuring=self.strategy.chosen_by_measuring)

    def check(self) -> None:
        """SettingError if there is a limit that no search of this kind reaches, or if there are too many workers."""
        check_workers(self.config.workers.count)
        if self.config.stop.target_accuracy is not None and not self.objective.classes:
            raise SettingError(
                "stop.target_accuracy: expected a classification, as regressions and functions have no accuracy; "
                "give --target-loss instead"
            )

    def pool(self, done: Sequence[RoundRecord] = ()) -> Pool:
        """The workers that the configuration asks for, after the rounds that are done.

        A number of them is started at once, and so are those of a cluster. Left to itself, the search begins in this
        process, and they are started if they will pay; where a GPU computes, it stays here.
        """
        count = self.config.workers.count
        here = count is None and bool(self.objective.device) and not joins_cluster()
        if count == 0 or here:
            return LocalPool(self.strategy, self.objective)
        if count is None and not joins_cluster():
            return LatePool(self.strategy, self.objective, self._horizon(done), partial(self._ray_pool, True))
        return self._ray_pool()

    def _ray_pool(self, begun: bool = False) -> Pool:
        from distsearch.workers.ray.pool import RayPool  # takes half a second to import

        return RayPool(self.strategy, self.objective, self.config.workers.count, begun)

    def _horizon(self, done: Sequence[RoundRecord]) -> Horizon:
        """What is left of the limits of rounds and seconds."""
        rounds, seconds = self.limits().rounds, self.config.stop.seconds
        spent = done[-1].seconds if done else 0.0
        return Horizon(inf if rounds is None else rounds - len(done), inf if seconds is None else seconds - spent)


def assemble(
    config: RunConfig, dataset: Dataset | None = None, start: Given | Learnt | None = None, model: Any = None
) -> Assembly:
    """The assembly of a configuration, on its own data and from its own first weights if none are given.

    `model` is the torch module, or what makes it, that the configuration calls for, where it came from Python.
    Raises a UserError for what is wrong.
    """
    config = in_our_words(config)
    if config.output.name:
        names.check(config.output.name)
    losses.check(config.network)
    device, no_gpu = devices.chosen(config.network.device) if config.network.model else (config.network.device, "")
    config = structs.replace(config, network=structs.replace(losses.with_costs(config.network), device=device))
    if start is None:
        start = first_weights.of_config(config)
    if dataset is None:
        dataset = read_data(config)
    config = with_shares(with_loss(config, dataset), dataset)
    require_room_for(dataset, config)
    schema = dataset.schema
    if schema.classes is not None:
        network_settings = losses.chosen(config.network, schema.classes, class_sums(dataset))
        config = structs.replace(config, network=network_settings)
    scored = loss_for(config.network, dataset)
    if dataset.train.weights is not None and not scored.weighs:
        raise SettingError(f"--loss: {config.network.loss} weighs all examples alike: leave out the example weights")
    config = structs.replace(config, network=structs.replace(config.network, start=start_for(config.network, schema)))
    network = network_for(config.network, schema, model)
    rarest = rarest_share(dataset)
    given = first_weights.for_inputs(start, schema.inputs)
    plan = plan_network(config, network, len(dataset.train.features), given, scored=scored, rarest=rarest)
    config = plan.config
    judge = judgement(config.output.metrics, config.network, schema, scored)
    objective = objective_of(dataset, network, scored, config, judge)
    if isinstance(objective, ModuleObjective):
        with one_thread():
            objective.try_out(plan.first.center)
    if plan.given and plan.strategy.chosen_by_measuring and not plan.constraints:
        with one_thread():
            plan = _with_measured_start(plan, objective.measure(plan.first.center).choosing)
    notes = *notes_on(config, dataset), *network.notes, *filter(None, [no_gpu])
    counts = () if schema.classes is None else tuple(class_counts(dataset).tolist())
    return Assembly(plan, objective, schema.to_json(), dataset.fingerprint, notes, counts)


def objective_of(
    dataset: Dataset, network: Trainable, loss: Loss, config: RunConfig, judge: Judgement | None
) -> Objective:
    """What maps a network's weights to its losses on a data set. SettingError for metrics that it cannot have."""
    batch, seed = config.data.batch, config.strategy.seed
    if not isinstance(loss, losses.ModuleLoss):
        return NetworkObjective.of(dataset, network, loss, batch, seed, judge)
    if judge is not None:
        given = "--subject-to" if config.network.subject_to else "--metrics"
        raise SettingError(f"{given}: {loss.named} takes the module itself, and there are no outputs to judge")
    return ModuleObjective.of(dataset, network, loss, batch, seed)


def assemble_function(
    config: RunConfig, function: Callable[[Array], Any], start: Array, vectorized: bool = False
) -> Assembly:
    """The assembly that minimises a function of weights, (n,), from the first ones.

    A vectorized function takes several candidates, (candidates, n), and returns their losses, (candidates,).
    """
    config = in_our_words(config)
    kind = VectorizedObjective if vectorized else FunctionObjective
    return Assembly(plan_function(config, start), kind(function, start.size))


def plan_function(config: RunConfig, start: Array) -> Plan:
    """The plan to minimise a function of weights, (n,), from the first ones. SettingError for what does not fit."""
    if config.output.name:
        names.check(config.output.name)
    task = Task(start.size, rounds=Limits(config.stop).rounds)
    config, why = _with_strategy(config, task)
    strategy = strategies.create(config.strategy.name, config.settings, task)
    first = _first_state(strategy, start, config.strategy.seed)
    return Plan(with_storage(config), task, strategy, first, None, why, given=True)


def plan_network(
    config: RunConfig,
    network: Trainable,
    examples: int,
    given: Given | None = None,
    loss: float | None = None,
    scored: Loss | None = None,
    rarest: float = 1.0,
) -> Plan:
    """The plan to train a network on `examples` examples, from given first weights if there are any.

    `loss` is that of the given ones, where it has been measured; `scored` is what they are scored by, where it takes
    more than its name, and `rarest` the share of the rarest class. Raises a SettingError for what does not fit.
    """
    if given is None:
        config = structs.replace(config, network=structs.replace(config.network, start=start_for(config.network)))
    open_task = replace(network_task(config, network, examples, scored), rarest=rarest)
    config, why = _with_strategy(config, open_task, found_flat=scored is not None and scored.found_flat)
    config = with_storage(_with_batch(config, examples))
    task = network_task(config, network, examples, scored)
    strategy = strategies.create(config.strategy.name, config.settings, task)
    constraints = Constraints(config.network.subject_to)
    if constraints:
        influence.check(constraints, 0 if task.traits.numbers else network.outputs, strategy.sums)
    size = network.weights_count * WEIGHT_BYTES + network.neurons * min(task.batch, SMALLEST_CHUNK) * ACTIVATION_BYTES
    memory.require(f"a network of {network.weights_count:,} weights", size, how_to_shrink(config.network))
    seed = config.strategy.seed
    if given is None:
        start = network.start(start_for(config.network), seed)
    else:
        start = first_weights.of_network(network, given)
    first = _first_state(strategy, start, seed)
    config = _with_measuring(config, strategy, first)
    plan = Plan(config, task, strategy, first, network, why, given is not None, constraints)
    return _with_measured_start(plan, loss)


def _with_measured_start(plan: Plan, loss: float | None) -> Plan:
    """The plan whose first weights are the best so far, with their loss on all training examples, if that is known."""
    return plan if loss is None else replace(plan, first=plan.strategy.measured(plan.first, loss))


def network_task(config: RunConfig, network: Trainable, examples: int, scored: Loss | None = None) -> Task:
    """What a configuration searches with such a network on that many examples."""
    loss = losses.create(config.network.loss) if scored is None else scored
    rounds, validated = Limits(config.stop).rounds, bool(config.data.validation_share)
    constraints = len(config.network.subject_to)
    return task_of(network, loss, examples, config.data.batch or examples, rounds, constraints, validated)


def _first_state(strategy: AnyStrategy, start: Array, seed: int) -> State:
    """The state before the first round. TooLargeError if a round's candidates would take too much memory."""
    first: State = strategy.init(start, seed)
    units = strategy.units(first)
    memory.require(f"a round of {units:,} candidates", units * CANDIDATE_BYTES, "choose a smaller population")
    return first


def _with_strategy(config: RunConfig, task: Task, found_flat: bool = False) -> tuple[RunConfig, str]:
    """The configuration with a strategy by name, and a sentence on why it was chosen, if it was left open (auto).

    For a loss of the user's that was found to be flat it is chosen as for our own flat ones, and so is how far nodes
    are moved, which the configuration then says: a run that continues does not depend on finding it again.
    """
    if config.strategy.name != AUTO:
        return config, ""
    if found_flat:
        task = replace(task, traits=replace(task.traits, flat=True))
    name, why = strategies.choose(task, config.settings)
    if found_flat and strategies.find(name).sums:
        sigma = strategies.create(name, config.settings, task).settings.sigma
        config = structs.replace(config, settings={"sigma": sigma, **config.settings})
        why = f"{why}; the loss is flat between steps: if it does not fall, choose --strategy hill-climb"
    return structs.replace(config, strategy=structs.replace(config.strategy, name=name)), f"strategy {name}: {why}"


def _with_batch(config: RunConfig, examples: int) -> RunConfig:
    """The configuration with its strategy's preferred batch for that many examples, where it says none."""
    preferred = strategies.find(config.strategy.name).batch
    if config.data.batch is not None or preferred is None or 2 * preferred > examples:
        return config
    return structs.replace(config, data=structs.replace(config.data, batch=preferred))


def _with_measuring(config: RunConfig, strategy: AnyStrategy, first: State) -> RunConfig:
    """The configuration with when to measure, where it does not say: seldom enough to cost little time."""
    if config.output.measure_every is not None:
        return config
    task, first_measured = strategy.task, config.output.measure_first
    passes = strategy.passes(first)
    if strategy.chosen_by_measuring:
        rounds = task.examples / (passes * task.batch)  # that take as long as a measurement
        every, first_measured = ceil(rounds / MEASURING_SHARE), first_measured or ceil(2 * rounds)
    else:
        short = passes * task.batch * task.weights_count < SHORT_ROUND
        every = SHORT_EVERY if short else MEASURED_EVERY
    output = structs.replace(config.output, measure_every=every, measure_first=first_measured)
    return structs.replace(config, output=output)
