"""One search from its configuration to its result: puts the rooms together."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from distsearch import memory, strategies
from distsearch.candidates.base import Space
from distsearch.config import RunConfig
from distsearch.data import datasets
from distsearch.data.advice import on_features
from distsearch.data.datasets import Dataset
from distsearch.errors import SettingError
from distsearch.machine import description, one_thread
from distsearch.networks.network import Network
from distsearch.objectives import losses
from distsearch.objectives.base import SMALLEST_CHUNK, FunctionObjective, NetworkObjective, Objective, space_of
from distsearch.objectives.model import network_for
from distsearch.runs import names
from distsearch.runs.directory import Manifest, Result, Run, removed_unless_begun
from distsearch.runs.history import RoundRecord
from distsearch.search.interrupts import Interrupts
from distsearch.search.limits import Limits
from distsearch.search.loop import Spent, Watch, search
from distsearch.storage import Address, Publisher, Storage, identity
from distsearch.strategies.base import State, Strategy
from distsearch.workers.base import Tell, Workers
from distsearch.workers.local import LocalWorkers

MEASURING_SHARE = 0.05  # of the time, where the best is chosen by measuring
MEASURED_EVERY, SHORT_EVERY = 10, 50  # rounds, otherwise; and rounds so short that a measurement's calls count
SHORT_ROUND = 1_000_000  # multiplications
WEIGHT_BYTES = 32  # of the first, the center's and the best ones, a candidate's, its noise, and what is written
ACTIVATION_BYTES = 8  # with the zeros that it is compared with


@dataclass(frozen=True)
class Session:
    """A search that is ready to begin: every setting is checked, the data is read, and nothing is written yet."""

    config: RunConfig
    strategy: Strategy
    objective: Objective
    start: NDArray[np.float32]  # (n,), the first weights
    schema: dict[str, Any]  # of the data; empty without
    fingerprint: str
    why: str = ""  # its strategy was chosen, if it was
    advice: tuple[str, ...] = ()  # on the data

    def run(self, watch: Watch, tell: Tell, interrupts: Interrupts | None = None) -> tuple[Run, Result]:
        """Search until a limit is reached. The run's directory is removed if the workers cannot start.

        Without interrupts, signals are left to others. KeyboardInterrupt if one comes before the workers are there;
        SettingError if there is a limit that no search reaches.
        """
        if self.config.stop.target_accuracy is not None and not self.objective.classes:
            raise SettingError(
                "stop.target_accuracy: expected classes to be learnt, but numbers and functions have no accuracy; "
                "give a target loss instead"
            )
        for sentence in filter(None, (*self.advice, self.why, self.strategy.chosen)):
            tell(sentence)
        manifest = Manifest(
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            machine=description(),
            weights=self.objective.space.weights_count,
            examples=self.objective.space.examples,
            fingerprint=self.fingerprint,
            data=self.schema,
        )
        if storage := storage_of(self.config):
            storage.check(self.config.output.name)
        run = Run.create(self.config, self.strategy.settings, manifest, storage.has if storage else None)
        with removed_unless_begun(run.path), closing(run):
            publisher = publisher_of(self.config, run.path, manifest, 0, tell)
            state = self.strategy.init(self.start, self.config.strategy.seed)
            return run, self.go_on(run, state, (), watch, tell, interrupts or Interrupts(), publisher)

    def go_on(
        self,
        run: Run,
        state: State,
        done: Sequence[RoundRecord],
        watch: Watch,
        tell: Tell,
        interrupts: Interrupts,
        publisher: Publisher | None = None,
    ) -> Result:
        """Search on from a state and the rounds that led to it; the run is published at the end."""
        spent, limits = Spent.of(done), self.limits(done)
        with ExitStack() as opened:
            if publisher is not None:
                run.after_save = publisher.offer
                interrupts.begin(opened.enter_context, publisher)
            workers = opened.enter_context(interrupts.begin(self.workers, tell))
            opened.enter_context(one_thread())
            watch = _shown_on_cluster(run.path.name, workers, watch)
            return search(
                self.config, self.strategy, self.objective, workers, run, state, limits, spent, watch, interrupts
            )

    def limits(self, done: Sequence[RoundRecord] = ()) -> Limits:
        """When the search ends, after the rounds that are done."""
        return Limits(self.config.stop, done, by_measuring=self.strategy.chosen_by_measuring)

    def workers(self, tell: Tell) -> Workers:
        """The workers that the configuration asks for."""
        count = self.config.workers.count
        if count == 0:
            return LocalWorkers(self.strategy, self.objective)
        from distsearch.workers.ray.pool import RayPool  # takes half a second to import

        return RayPool(self.strategy, self.objective, count, tell)


def storage_of(config: RunConfig) -> Storage | None:
    """Where a run is to be published; None if nowhere. SettingError if that is among the runs themselves."""
    if not config.output.storage:
        return None
    address = Address.parse(config.output.storage)
    if not address.scheme and Path(address.path).resolve() == Path(config.output.directory).resolve():
        raise SettingError(f"--storage: expected another folder than that of the runs, got {config.output.storage!r}")
    return Storage(address)


def publisher_of(config: RunConfig, path: Path, manifest: Manifest, rounds: int, tell: Tell) -> Publisher | None:
    """What publishes a run that has come so many rounds far; None if it is to be published nowhere."""
    storage = storage_of(config)
    return Publisher(storage, path, identity(manifest, config.strategy.seed), rounds, tell) if storage else None


def _shown_on_cluster(run: str, workers: Workers, watch: Watch) -> Watch:
    """The same watch, which on a cluster shows the run in the cluster's metrics as well."""
    if not workers.on_cluster:
        return watch
    from distsearch.workers.ray.metrics import Gauges  # imports Ray

    gauges = Gauges(run, workers)

    def both(row: RoundRecord, state: State, count: int) -> None:
        watch(row, state, count)
        gauges.show(row)

    return both


def prepare(config: RunConfig) -> Session:
    """The session of a configuration, its data read from where it says. Raises a UserError for what does not fit."""
    if config.output.name:
        names.check(config.output.name)
    dataset = read_data(config)
    return replace(on_dataset(config, dataset), advice=advice_on(config, dataset))


def read_data(config: RunConfig) -> Dataset:
    """The data set that a configuration names. Raises a UserError for what does not fit."""
    data = config.data
    return datasets.load(
        data.source,
        numbers=losses.create(config.network.loss).numbers,
        target=data.target,
        scale=data.scale,
        test_share=data.test_share,
        points=data.points,
        classes=data.classes,
        seed=data.seed,
    )


def advice_on(config: RunConfig, dataset: Dataset) -> tuple[str, ...]:
    """Sentences on the data, to be said before a search with this configuration."""
    on_scale = on_features(dataset, losses.create(config.network.loss).flat)
    return (*dataset.notes, on_scale) if on_scale else dataset.notes


def on_dataset(config: RunConfig, dataset: Dataset) -> Session:
    """The session of a configuration on a data set that is already there. What it leaves open is chosen."""
    network = network_for(config.network, dataset.schema)
    examples = len(dataset.train.features)
    config, why = with_strategy(config, space_for(config, network, examples))
    config = with_storage(_with_batch(config, examples))
    space = space_for(config, network, examples)
    strategy = strategies.create(config.strategy.name, config.settings, space)
    _require_memory(config, network, dataset)
    objective = NetworkObjective.of(
        dataset, network, losses.create(config.network.loss), config.data.batch, config.strategy.seed
    )
    start = network.start(config.network.start, config.strategy.seed)
    return Session(
        _with_measuring(config, strategy, start),
        strategy,
        objective,
        start,
        dataset.schema.to_json(),
        dataset.fingerprint,
        why,
    )


def on_function(
    config: RunConfig, function: Callable[[NDArray[np.float32]], float], start: NDArray[np.float32]
) -> Session:
    """The session of a configuration that minimises a function of weights, (n,), from the first ones."""
    objective = FunctionObjective(function, start.size)
    space = replace(objective.space, rounds=Limits(config.stop).rounds)
    config, why = with_strategy(config, space)
    config = with_storage(config)
    strategy = strategies.create(config.strategy.name, config.settings, space)
    return Session(config, strategy, objective, start, {}, "", why)


def _require_memory(config: RunConfig, network: Network, dataset: Dataset) -> None:
    """TooLargeError if the examples, the weights or the activations would take more memory than there is."""
    schema = dataset.schema
    count = sum(len(part.features) for part in (dataset.train, dataset.test) if part is not None)
    width = len(schema.features) + 1 + schema.outputs
    copies = 1 + (config.data.batch is not None) + (config.workers.count != 0)
    what = f"{count:,} examples of {len(schema.features):,} features and {schema.outputs:,} "
    if schema.classes is None:
        what, instead = f"{what}targets", "take fewer of them"
    else:
        what, instead = f"{what}classes", "merge classes, or learn numbers with --loss mean-squared-error"
    memory.require(what, count * width * 4 * copies, instead)
    batch = config.data.batch or len(dataset.train.features)
    size = network.weights_count * WEIGHT_BYTES + network.neurons * min(batch, SMALLEST_CHUNK) * ACTIVATION_BYTES
    memory.require(f"a network of {network.weights_count:,} weights", size, "give it fewer or narrower --layers")


def with_strategy(config: RunConfig, space: Space) -> tuple[RunConfig, str]:
    """The configuration with a strategy by name, and a sentence on why it was chosen, if it was left open (auto)."""
    if config.strategy.name != strategies.AUTO:
        return config, ""
    name, why = strategies.choose(space)
    return structs.replace(config, strategy=structs.replace(config.strategy, name=name)), f"strategy {name}: {why}"


def with_storage(config: RunConfig, storage: str | None = None) -> RunConfig:
    """The configuration with another storage, if it is given; as an address that means the same from every folder."""
    text = config.output.storage if storage is None else storage
    canonical = str(Address.parse(text)) if text else ""
    return structs.replace(config, output=structs.replace(config.output, storage=canonical))


def _with_batch(config: RunConfig, examples: int) -> RunConfig:
    """The configuration with the batch that its strategy prefers for so many examples, where it says none."""
    preferred = strategies.find(config.strategy.name).batch
    if config.data.batch is not None or preferred is None or 2 * preferred > examples:
        return config
    return structs.replace(config, data=structs.replace(config.data, batch=preferred))


def _with_measuring(config: RunConfig, strategy: Strategy, start: NDArray[np.float32]) -> RunConfig:
    """The configuration with when to measure, where it does not say: so seldom that it costs little time.

    start is the first weights, (n,).
    """
    if config.output.measure_every is not None:
        return config
    space, first = strategy.space, config.output.measure_first
    passes = strategy.passes(strategy.init(start, config.strategy.seed))
    if strategy.chosen_by_measuring:
        rounds = space.examples / (passes * space.batch)  # that take as long as a measurement
        every, first = ceil(rounds / MEASURING_SHARE), first or ceil(2 * rounds)
    else:
        short = passes * space.batch * space.weights_count < SHORT_ROUND
        every = SHORT_EVERY if short else MEASURED_EVERY
    return structs.replace(config, output=structs.replace(config.output, measure_every=every, measure_first=first))


def space_for(config: RunConfig, network: Network, examples: int) -> Space:
    """What a configuration searches with such a network on so many examples."""
    loss, rounds = losses.create(config.network.loss), Limits(config.stop).rounds
    return space_of(network, loss, examples, config.data.batch or examples, rounds)
