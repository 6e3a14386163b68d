"""A stored run in use again: on its own data it continues, is published, or is verified."""

import logging
import math
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import islice

from msgspec import structs

from distsearch.config import RunConfig
from distsearch.config.sections import StopConfig
from distsearch.data.schema import Schema
from distsearch.errors import RunError
from distsearch.machine import description
from distsearch.networks.modules import devices
from distsearch.objectives.model import Model
from distsearch.runs import names
from distsearch.runs.claims import writing
from distsearch.runs.directory import Run, StoredRun
from distsearch.runs.history import RoundRecord
from distsearch.search.assembly import Assembly
from distsearch.search.endings import Found
from distsearch.search.foreign_code import changed_since
from distsearch.search.interrupts import Interrupts
from distsearch.search.limits import EVALUATIONS, EXACTLY, ROUNDS, SECONDS
from distsearch.search.observers import Observer
from distsearch.search.publishing import publisher_of, with_storage
from distsearch.search.retrieval import NOTHING, Handed, own_assembly
from distsearch.search.session import continue_run, source_of
from distsearch.search.tracking import trackers, with_trackers
from distsearch.settings import with_changes
from distsearch.storage import Publisher
from distsearch.strategies.base import State
from distsearch.text import rounds_text

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Resumption:
    """A stored run that is ready to continue: everything is checked, and nothing is written yet."""

    assembly: Assembly
    stored: StoredRun
    state: State
    done: list[RoundRecord]
    source: str  # where its data is now
    trackers: list[Observer]
    publisher: Publisher | None = None

    def run(self, observers: Iterable[Observer] = (), interrupts: Interrupts | None = None) -> Found:
        """Continue from the last checkpoint, to the same bytes as if the run had never stopped."""
        self.assembly.check()
        observers = [*observers, *self.trackers]
        config, strategy = self.assembly.config, self.assembly.strategy
        run = Run.reopen(self.stored, len(self.done), config, strategy.settings, self.source)
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
    handed: Handed = NOTHING,
    evaluations: int | None = None,
    track: str | None = None,
) -> Resumption:
    """The resumption of a run, with more rounds, seconds or evaluations, other workers, storage or trackers, if given.

    `handed` is what the run needs and does not hold, or whose place has changed.

    Raises RunError if its files do not fit together, if it has reached its limits, or if its bits could come out
    differently here: other data, or, unless forced, another version of distsearch, NumPy or BLAS. StorageError if it is
    to be published where another run has its name or where it has got further.
    """
    if not force and (other := other_machine(stored)):
        raise RunError(f"{other}; --force continues anyway")
    names.check(stored.path.name)
    with writing(stored.path), stored.held():  # said before the data is read
        pass
    told = trackers(with_trackers(stored.config, track).output.track, resumed=True)
    assembly = own_assembly(stored, stored.config.workers.count if workers is None else workers, handed)
    state = stored.state(assembly.strategy.state_type) if stored.has_begun else assembly.plan.first
    done = list(islice(stored.history(), state.round))
    if len(done) < state.round:
        raise RunError(f"the history of {stored.path} is damaged: it ends before the checkpoint")
    config = with_storage(_extended(assembly.config, done, rounds, seconds, evaluations), storage)
    config = with_trackers(config, track)
    assembly = assembly.configured(config)
    if (reached := assembly.limits(done).already) and stored.result is not None:
        raise RunError(f"{stored.path} has reached its limit ({reached}): {_more(reached)}")
    if publisher := publisher_of(config, stored.path, stored.manifest, state.round):
        publisher.check()
    source = source_of(config) if handed.data else stored.manifest.source
    return Resumption(assembly, stored, state, done, source, told, publisher)


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
    """The model that a run has found so far. RunError if it has none, or if its files do not fit together.

    A warning says which weights it has if the run has not ended.
    """
    if not stored.manifest.data:
        raise RunError(f"{stored.path} is the run of a function: expected a network's")
    try:
        drawn = 0 if stored.start() else stored.config.strategy.seed  # as the search drew it
        schema = Schema.from_json(stored.manifest.data)
        model = Model.of_tensors(stored.config.network, schema, stored.best(), drawn)
    except (KeyError, ValueError) as error:
        raise RunError(f"the best weights of {stored.path} are not those of its network: {error}") from None
    if sentence := unfinished(stored):
        LOG.warning(sentence)
    return model


def unfinished(stored: StoredRun) -> str:
    """A sentence on the weights of a run that has not ended; else empty."""
    if stored.result is not None:
        return ""
    reached = ""
    with suppress(RunError):  # of a damaged checkpoint nothing is known, but the best weights are a file of their own
        reached = f", after {rounds_text(stored.rounds)}"
    return f"{stored.path.name} has not ended: its weights are those of its last checkpoint{reached}"


def other_machine(stored: StoredRun) -> str:
    """A sentence if the run's bits may come out differently here; else empty."""
    here = description(devices.gpu() if stored.config.network.device == devices.CUDA else "")
    for name in ("distsearch", "numpy", "blas", "device"):
        there, this = (machine.get(name, "the processor") for machine in (stored.manifest.machine, here))
        if there != this:
            return f"{stored.path} was made with {name} {there}, and this is {this}: bits may come out differently"
    if changed := changed_since(stored.manifest.code, stored.config):
        return f"{stored.path}: {changed}: bits may come out differently"
    return ""


def _more(reached: str) -> str:
    """What to type to go beyond a limit."""
    if reached in (ROUNDS, SECONDS, EVALUATIONS):
        return f"give it more --{reached}"
    return "--start begins another run with its weights"


def _extended(
    config: RunConfig,
    done: Sequence[RoundRecord],
    rounds: int | None,
    seconds: float | None,
    evaluations: int | None = None,
) -> RunConfig:
    """The configuration with further rounds, seconds and evaluations beside those done. SettingError if impossible."""
    given = with_changes(StopConfig(), "stop", rounds=rounds, seconds=seconds, evaluations=evaluations)
    more: dict[str, float] = {}
    if given.rounds is not None:
        more["rounds"] = len(done) + given.rounds
    if given.seconds is not None:
        more["seconds"] = (done[-1].seconds if done else 0.0) + given.seconds
    if given.evaluations is not None:
        more["evaluations"] = math.ceil(done[-1].passes * EXACTLY if done else 0) + given.evaluations
    return structs.replace(config, stop=with_changes(config.stop, "stop", **more))
