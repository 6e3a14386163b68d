"""One search from its configuration to its result: puts the rooms together."""

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distsearch import strategies
from distsearch.config import RunConfig
from distsearch.machine import description, one_thread
from distsearch.model import network_for
from distsearch.problem import datasets, losses
from distsearch.problem.datasets import Dataset
from distsearch.problem.objective import NetworkObjective, Objective
from distsearch.runs import Manifest, Result, Run
from distsearch.search import Watch, search
from distsearch.strategies.base import Strategy
from distsearch.workers.base import Tell, Workers
from distsearch.workers.local import LocalWorkers


@dataclass(frozen=True)
class Session:
    """A search that is ready to begin: every setting is checked, the data is read, and nothing is written yet."""

    config: RunConfig
    strategy: Strategy
    objective: Objective
    start: NDArray[np.float32]  # (n,), the first weights
    schema: dict[str, Any]  # of the data; empty without
    fingerprint: str

    def run(self, watch: Watch, tell: Tell) -> tuple[Run, Result]:
        """Search until a limit is reached. The run's directory goes again if the workers cannot be started."""
        manifest = Manifest(
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            machine=description(),
            weights=self.objective.weights_count,
            fingerprint=self.fingerprint,
            data=self.schema,
        )
        run = Run.create(self.config, self.strategy.settings, manifest)
        try:
            workers = self._workers(tell)
        except BaseException:
            run.close()
            shutil.rmtree(run.path)
            raise
        state = self.strategy.init(self.start, self.config.strategy.seed)
        with workers, one_thread():
            try:
                return run, search(self.config, self.strategy, self.objective, workers, run, state, watch)
            finally:
                run.close()

    def _workers(self, tell: Tell) -> Workers:
        count = self.config.workers.count
        if count == 0:
            return LocalWorkers(self.strategy, self.objective)
        from distsearch.workers.ray_pool import RayPool  # takes half a second to import

        return RayPool(self.strategy, self.objective, count, tell)


def prepare(config: RunConfig) -> Session:
    """The session of a configuration, its data read from where it says. Raises a UserError for what does not fit."""
    return on_dataset(config, read_data(config))


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


def on_dataset(config: RunConfig, dataset: Dataset) -> Session:
    """The session of a configuration on a data set that is already there."""
    strategy = strategies.create(config.strategy.name, config.settings)
    network = network_for(config.network, dataset.schema)
    return Session(
        config,
        strategy,
        NetworkObjective.of(dataset, network, losses.create(config.network.loss)),
        network.start(config.network.start, config.strategy.seed),
        dataset.schema.to_json(),
        dataset.fingerprint,
    )
