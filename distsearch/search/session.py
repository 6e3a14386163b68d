"""From an assembly to a result: the run's directory, the workers and the observers, for as long as a search takes."""

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from distsearch.config import RunConfig
from distsearch.data.datasets import is_built_in
from distsearch.errors import DistsearchError
from distsearch.machine import description, one_thread
from distsearch.networks.modules import devices
from distsearch.networks.modules.sources import IN_MEMORY
from distsearch.objectives.function import VectorizedObjective
from distsearch.runs.claims import removed_unless_begun
from distsearch.runs.directory import Manifest, Run
from distsearch.runs.history import RoundRecord
from distsearch.runs.layout import CHECKPOINT
from distsearch.search import frozen
from distsearch.search.assembly import Assembly
from distsearch.search.beforehand import Ready, places
from distsearch.search.endings import Found
from distsearch.search.foreign_code import origins
from distsearch.search.interrupts import Interrupts
from distsearch.search.loop import search
from distsearch.search.noise import compare_best
from distsearch.search.observers import Gauging, Observer, Observers, Opened, listening
from distsearch.search.publishing import publisher_of
from distsearch.search.recording import Publishing, Recorder
from distsearch.search.tracking import with_trackers
from distsearch.storage import Publisher
from distsearch.strategies.base import State
from distsearch.workers.base import Pool

LOG = logging.getLogger(__name__)

KEPT = "The run up to here is kept in {}."


def run(
    assembly: Assembly,
    observers: Iterable[Observer] = (),
    interrupts: Interrupts | None = None,
    ready: Ready | None = None,
) -> Found:
    """Search from the first weights until a limit is reached, and keep the run in a directory of its own.

    The directory is removed if the workers cannot start. Without interrupts, signals are left to others. `ready` is
    what `beforehand.check` has returned, if that was called.
    KeyboardInterrupt if one comes before there are workers; SettingError if there is a limit that no search reaches.
    """
    _begin(assembly)
    assembly = assembly.configured(with_trackers(assembly.config))
    config, manifest = assembly.config, _manifest(assembly)
    ready = ready or places(config, kept=True)
    taken = ready.storage.has if ready.storage else None
    directory = Run.create(config, assembly.strategy.settings, manifest, taken, assembly.plan.start_file())
    with removed_unless_begun(directory.path), closing(directory):
        publisher = publisher_of(config, directory.path, manifest, 0)
        first = assembly.plan.first
        told = [*observers, *ready.trackers]
        return continue_run(assembly, directory, first, (), told, interrupts or Interrupts(), publisher)


def run_unrecorded(
    assembly: Assembly,
    observers: Iterable[Observer] = (),
    interrupts: Interrupts | None = None,
    ready: Ready | None = None,
    said: set[str] | None = None,
) -> Found:
    """As `run`, but nothing is kept on disk, and what was `said` before is not said again."""
    _begin(assembly, said)
    interrupts = interrupts or Interrupts()
    ready = ready or places(assembly.config, kept=False)
    observer = Observers([*observers, *ready.trackers])
    with ExitStack() as opened:
        pool = _opened_pool(assembly, (), opened, interrupts)
        opened.enter_context(listening(observer, _about(assembly, partial(_manifest, assembly))))
        return search(assembly, pool, assembly.plan.first, (), observer, interrupts)


def continue_run(
    assembly: Assembly,
    directory: Run,
    state: State,
    done: Sequence[RoundRecord],
    observers: Iterable[Observer],
    interrupts: Interrupts,
    publisher: Publisher | None = None,
) -> Found:
    """Continue a run in its directory, from a state and the rounds that led to it; it is published at the end."""
    with ExitStack() as opened:
        others = Observers()
        if publisher is not None:
            interrupts.begin(opened.enter_context, publisher)
            others.add(Publishing(publisher))
        for observer in observers:
            others.add(observer)
        pool = _opened_pool(assembly, done, opened, interrupts)
        if pool.on_cluster:
            others.add(_gauging(directory.path.name, pool))
        opened.enter_context(_kept_in(directory.path))
        opened.enter_context(listening(others, _about(assembly, lambda: directory.manifest, done, directory.path)))
        recorder = opened.enter_context(Recorder(directory, pool, assembly.plan.named, others.saved))
        heard = [recorder, *others]
        observer = Observers(heard) if len(heard) > 1 else recorder
        if assembly.plan.network is None and done and not done[-1].noisy:
            interrupts.during(compare_best, pool, state)
        found = search(assembly, pool, state, done, observer, interrupts, directory.path.name)
    return found._replace(path=directory.path)


def _begin(assembly: Assembly, said: set[str] | None = None) -> None:
    """Check it once more, and say what there is to say of it, but for what was said, which grows by it."""
    assembly.check()
    if assembly.config.network.model:
        devices.check(assembly.config.network.device)
    said = set() if said is None else said
    for note in assembly.notes:
        if note not in said:
            LOG.warning(note)
    choices = [*filter(None, (assembly.plan.why, assembly.strategy.chosen))]
    for choice in choices:
        if choice not in said:
            LOG.info(choice)
    said.update(assembly.notes, choices)


def _opened_pool(assembly: Assembly, done: Sequence[RoundRecord], opened: ExitStack, interrupts: Interrupts) -> Pool:
    """The workers, and BLAS on one thread in this process, until `opened` is closed."""
    pool = opened.enter_context(interrupts.begin(assembly.pool, done))
    opened.enter_context(one_thread())
    return pool


def _about(
    assembly: Assembly,
    manifest: Callable[[], Manifest],
    done: Sequence[RoundRecord] = (),
    path: Path | None = None,
) -> Opened:
    plan = assembly.plan
    return Opened(
        assembly.config, assembly.strategy.settings, manifest, plan.named, done, path, of_function=plan.network is None
    )


@contextmanager
def _kept_in(path: Path) -> Iterator[None]:
    """While entered, what others raise (callbacks) names the run that it broke off, if that can be continued."""
    try:
        yield
    except DistsearchError:
        raise
    except Exception as error:
        if (path / CHECKPOINT).exists():
            error.add_note(KEPT.format(path))
        raise


def _gauging(run: str, pool: Pool) -> Observer:
    from distsearch.workers.ray.metrics import Gauges  # imports Ray

    return Gauging(Gauges(run, pool))


def _manifest(assembly: Assembly) -> Manifest:
    return Manifest(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=description(assembly.objective.device),
        weights=assembly.task.weights_count,
        examples=assembly.task.examples,
        fingerprint=assembly.fingerprint,
        data=assembly.schema,
        code=origins(assembly.config),
        source=source_of(assembly.config),
        vectorized=isinstance(assembly.objective, VectorizedObjective),
        frozen=frozen.hashes(assembly.plan.network),
        class_counts=assembly.class_counts,
    )


def source_of(config: RunConfig) -> str:
    """The absolute path of a configuration's data, from wherever it is needed again; empty if it is no file."""
    source = config.data.source
    return os.path.abspath(source) if source != IN_MEMORY and not is_built_in(source) else ""
