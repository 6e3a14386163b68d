"""A stored run in use again: on its own data it continues, is published, or is verified."""

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice

from msgspec import structs

from distsearch.config import RunConfig
from distsearch.data.datasets import Dataset
from distsearch.data.schema import FIRST_IN_FORMAT_3, Schema
from distsearch.errors import RunError
from distsearch.machine import description
from distsearch.objectives.model import Model
from distsearch.runs import names
from distsearch.runs.directory import Run, StoredRun
from distsearch.runs.history import RoundRecord
from distsearch.search.assembly import Assembly, assemble, read_data, with_storage
from distsearch.search.foreign_code import changed_since
from distsearch.search.interrupts import Interrupts
from distsearch.search.loop import Found
from distsearch.search.observers import Observer
from distsearch.search.session import continue_run, publisher_of
from distsearch.search.tracking import trackers, with_trackers
from distsearch.settings import with_changes
from distsearch.storage import Publisher
from distsearch.strategies.base import State


@dataclass(frozen=True)
class Resumption:
    """A stored run that is ready to continue: everything is checked, and nothing is written yet."""

    assembly: Assembly
    stored: StoredRun
    state: State
    done: list[RoundRecord]
    publisher: Publisher | None = None

    def run(self, observers: Iterable[Observer] = (), interrupts: Interrupts | None = None) -> Found:
        """Continue from the last checkpoint, to the same bytes as if the run had never stopped."""
        self.assembly.check()
        observers = [*observers, *trackers(self.assembly.config.output.track, resumed=True)]
        run = Run.reopen(self.stored, len(self.done), self.assembly.config, self.assembly.strategy.settings)
        with closing(run):
            interrupts = interrupts or Interrupts()
            return continue_run(self.assembly, run, self.state, self.done, observers, interrupts, self.publisher)


def prepare_to_resume(
    stored: StoredRun,
    rounds: int | None,
    seconds: float | None,
    workers: int | None,
    force: bool,
    storage: str | None = None,
    track: str | None = None,
) -> Resumption:
    """The resumption of a run, with more rounds or seconds, and other workers, storage or trackers, where given.

    Raises RunError if its files do not fit together, if it has reached its limits, or if its bits could come out
    differently here: other data, or, unless forced, another version of distsearch, NumPy or BLAS. StorageError if it is
    to be published where another run has its name or where it has got further.
    """
    if not force and (other := other_machine(stored)):
        raise RunError(f"{other}; --force continues all the same")
    names.check(stored.path.resolve().name)
    assembly = own_assembly(stored, stored.config.workers.count if workers is None else workers)
    state = stored.state(assembly.strategy.state_type)
    done = list(islice(stored.history(), state.round))
    if len(done) < state.round:
        raise RunError(f"the history of {stored.path} is damaged: it ends before the checkpoint")
    config = with_trackers(with_storage(_extended(assembly.config, done, rounds, seconds), storage), track)
    assembly = assembly.configured(config)
    if (reached := assembly.limits(done).already) and stored.result is not None:
        raise RunError(f"{stored.path} has reached its limit ({reached}): give it more --rounds or --seconds")
    if publisher := publisher_of(config, stored.path, stored.manifest, state.round):
        publisher.check()
    return Resumption(assembly, stored, state, done, publisher)


def publish(stored: StoredRun, storage: str | None) -> str:
    """Publish a run in the storage given, or in its own, and return which.

    RunError if it names none, or if another process is writing to it; StorageError if it cannot be published.
    """
    config = with_storage(stored.config, storage)
    publisher = publisher_of(config, stored.path, stored.manifest, stored.rounds)
    if publisher is None:
        raise RunError(f"{stored.path} names no storage: give it one with --storage")
    with stored.held(), publisher:
        return config.output.storage


def stored_model(stored: StoredRun) -> Model:
    """The model that a run has found so far. RunError if its files do not fit together."""
    try:
        return Model.of_tensors(stored.config.network, Schema.from_json(stored.manifest.data), stored.best())
    except (KeyError, ValueError) as error:
        raise RunError(f"the best weights of {stored.path} are not those of its network: {error}") from None


def other_machine(stored: StoredRun) -> str:
    """A sentence if the run's bits may come out differently here; else empty."""
    here = description()
    for name in ("distsearch", "numpy", "blas"):
        there = stored.manifest.machine.get(name)
        if there != here[name]:
            return (
                f"{stored.path} was made with {name} {there}, and this is {here[name]}: bits may come out differently"
            )
    if changed := changed_since(stored.manifest.code, stored.config):
        return f"{stored.path}: {changed}: bits may come out differently"
    return ""


def own_assembly(stored: StoredRun, workers: int | None) -> Assembly:
    """The assembly of a stored run, on its own data. RunError if that has changed since."""
    crew = with_changes(stored.config.workers, "workers", count=workers)
    return assemble(structs.replace(stored.config, workers=crew), read_own_data(stored))


def _extended(config: RunConfig, done: Sequence[RoundRecord], rounds: int | None, seconds: float | None) -> RunConfig:
    """The configuration with that many more rounds and seconds than are done. SettingError if that cannot be."""
    more: dict[str, float] = {}
    if rounds is not None:
        more["rounds"] = len(done) + rounds
    if seconds is not None:
        more["seconds"] = (done[-1].seconds if done else 0.0) + seconds
    return structs.replace(config, stop=with_changes(config.stop, "stop", **more))


def read_own_data(stored: StoredRun) -> Dataset:
    """The data that a run was trained on. RunError if it has changed since."""
    targets_standardised = FIRST_IN_FORMAT_3 in stored.manifest.data
    dataset = read_data(stored.config, targets_standardised=targets_standardised)
    if dataset.fingerprint != stored.manifest.fingerprint:
        raise RunError(f"{stored.config.data.source} is not the data that {stored.path} was trained on any more")
    return dataset
