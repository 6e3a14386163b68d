"""A run's directory: written by the search, read by everything else.

config.toml               the resolved configuration; `run --config` accepts it
manifest.json             what made the run: versions, processors, data fingerprint and schema
history.jsonl             one line per round, only ever appended to
losses.bin                the loss of every candidate of every round
best.safetensors          the lowest-loss weights, as tensors per layer
checkpoint.safetensors    the strategy's state between two rounds
start.safetensors         the first weights, where they do not follow from the seed, and their loss if it was measured
result.json               how it ended; missing while the search runs
tracking.json             what trackers know the run as; missing if there are none

Wherever JSON is written, non-finite numbers are the texts "inf", "-inf" and "nan" (format 1 had null).
"""

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import cached_property
from math import inf
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from distsearch import config
from distsearch.config import RunConfig, toml
from distsearch.errors import RunError, SettingError
from distsearch.runs import checkpoints, claims, documents, files, history, names
from distsearch.runs.claims import claim, lock, removed_unless_begun, unwritable, writing
from distsearch.runs.events import NOBODY, Crew, Event, Share
from distsearch.runs.held import Held
from distsearch.runs.history import Entry, HistoryWriter, RoundRecord
from distsearch.runs.layout import BEST, CHECKPOINT, CONFIG, MANIFEST, PREVIOUS, RESULT, START
from distsearch.settings import Settings
from distsearch.strategies.base import State

LOG = logging.getLogger(__name__)

T = TypeVar("T", bound=State)

FORMAT = 2
FLUSH_SECONDS, SAVE_SECONDS = 0.5, 5.0
SAVE_SHARE = 0.01  # share of a run's time that saving may take


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a run was made with and from."""

    program: str = "distsearch"
    format: int = FORMAT
    created: str
    machine: dict[str, str]
    weights: int
    examples: int  # in the training set
    fingerprint: str  # of the data
    data: dict[str, Any]  # the data's schema, for reading further data the same way
    workers: tuple[dict[str, str], ...] = ()  # each distinct kind of worker machine, excluding this one
    code: tuple[dict[str, str], ...] = ()  # from other packages or the user: its origin and hash
    events: tuple[Event, ...] = ()  # the latest
    shares: tuple[Share, ...] = ()  # of the workers, those that joined last
    source: str = ""  # absolute path of the data, if it is a file or a folder
    vectorized: bool = False  # whether the function takes several candidates at once
    frozen: dict[str, str] = {}  # tensors of the network that are not searched, and a hash of each
    class_counts: tuple[int, ...] = ()  # training examples of each class


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended; losses and accuracies are those of its best weights."""

    run: str
    reason: str
    rounds: int
    candidates: int  # number of losses: of candidates, or of a strategy's other units
    seconds: float
    loss: float = inf  # the value before the first round
    accuracy: float | None = None
    test_loss: float | None = None
    test_accuracy: float | None = None
    validation_loss: float | None = None
    validation_accuracy: float | None = None
    best_round: int
    best_index: int
    non_finite: int = 0  # candidates whose loss was infinite or not a number
    passes: float = 0.0  # forward passes over all training examples, or calls of a function
    baseline: float | None = None  # the loss of the best constant prediction, on the test examples if there are any
    metrics: dict[str, float] | None = None  # that were asked for, by their names; on test examples as test-…
    constraints: tuple[Held, ...] = ()
    center_loss: float | None = None  # where the same weights have different losses: the center's, the mean of several
    center_evaluations: int = 0  # of which it is the mean


class Run:
    """A run directory open for writing, by one process at a time."""

    def __init__(self, path: Path, manifest: Manifest, rounds: int = 0, stored: "StoredRun | None" = None) -> None:
        self.path = path
        self._manifest = manifest
        with ExitStack() as opened:
            opened.callback(os.close, lock(path))
            if stored is not None:
                stored.check_unsaved()
            self._history = opened.enter_context(closing(HistoryWriter(path, history.position(path, rounds))))
            self._opened = opened.pop_all()
        self._shares_before = manifest.shares  # of earlier processes' workers
        self._flushed = 0.0
        self._next_save = time.perf_counter() + SAVE_SECONDS
        self._closed = False

    @classmethod
    def create(
        cls,
        settings: RunConfig,
        strategy_settings: Settings,
        manifest: Manifest,
        taken: Callable[[str], bool] | None = None,
        start: checkpoints.Content | None = None,
    ) -> "Run":
        """Create a directory under a name that is not `taken` elsewhere; if anything fails, none is left behind.

        `start` is the content of the file of the first weights, if these do not follow from the seed.

        Raises RunError if the name exists or is not plain, or the folder is not writable.
        """
        folder, name = Path(settings.output.directory), settings.output.name
        if name:
            names.check(name)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path = claim(folder, settings, taken)
            with removed_unless_begun(path), cls._opened_at(path, manifest) as run:
                run._describe(settings, strategy_settings)
                run._introduce(manifest)
                if start is not None:
                    files.write_whole(path / START, checkpoints.encode(*start))
            return run
        except OSError as error:
            raise unwritable(folder, error) from None

    @classmethod
    def reopen(
        cls, stored: "StoredRun", rounds: int, settings: RunConfig, strategy_settings: Settings, source: str = ""
    ) -> "Run":
        """Open the directory of a run that continues after `rounds` rounds, truncating its history to them.

        `source` is where its data is now, if that is a file.

        Raises RunError if another process is writing to it, or has continued it since, or if it is not writable.
        """
        path = stored.path
        with writing(path), cls._opened_at(path, stored.manifest, rounds, stored) as run:
            for left in path.glob(f"*{files.TEMPORARY}"):
                left.unlink()
            (path / RESULT).unlink(missing_ok=True)
            run._describe(settings, strategy_settings)
            if source != stored.manifest.source:
                run._introduce(msgspec.structs.replace(stored.manifest, source=source))
        return run

    @classmethod
    @contextmanager
    def _opened_at(
        cls, path: Path, manifest: Manifest, rounds: int = 0, stored: "StoredRun | None" = None
    ) -> Iterator["Run"]:
        """Open the run in a directory; closed again if the caller's block fails, else left open."""
        run = cls(path, manifest, rounds, stored)
        with ExitStack() as failed:
            failed.push(run._opened)
            yield run
            failed.pop_all()

    @property
    def manifest(self) -> Manifest:
        """What the run was made with and from."""
        return self._manifest

    def _describe(self, settings: RunConfig, strategy_settings: Settings) -> None:
        text = toml.to_toml(settings, strategy_settings)
        files.write_whole(self.path / CONFIG, documents.sealed_toml(text))

    def _introduce(self, manifest: Manifest) -> None:
        self._manifest = manifest
        files.write_whole(self.path / MANIFEST, documents.sealed_json(manifest))

    def record(self, row: RoundRecord, losses: NDArray[np.float64]) -> None:
        """Append a round and its losses, (candidates,), to the history."""
        self._history.append(row, losses)
        if row.seconds - self._flushed > FLUSH_SECONDS:
            with writing(self.path):
                self._history.flush()
            self._flushed = row.seconds

    @property
    def save_is_due(self) -> bool:
        """Whether it is time to save again; the interval keeps saving a small share of the run."""
        return time.perf_counter() > self._next_save

    def save(self, state: State, best: checkpoints.Content, crew: Crew = NOBODY) -> None:
        """Write the history so far, the content of the best weights' file, the checkpoint, and news of workers."""
        began = time.perf_counter()
        with writing(self.path):
            self._history.sync()  # a checkpoint must never be ahead of the history
            files.write_whole(self.path / BEST, checkpoints.encode(*best))
            content = checkpoints.encode(*checkpoints.flatten(state))
            files.write_whole(self.path / CHECKPOINT, content, self.path / PREVIOUS)
            if any(crew):
                now = self._manifest
                told = crew.after(now.workers, now.events, self._shares_before)
                self._introduce(msgspec.structs.replace(now, **told))
        ended = time.perf_counter()
        self._next_save = ended + max(SAVE_SECONDS, (ended - began) / SAVE_SHARE)

    def finish(self, result: Result) -> None:
        """Write the result."""
        with writing(self.path):
            files.write_whole(self.path / RESULT, documents.sealed_json(result))

    def close(self) -> None:
        """Flush the history and release the directory."""
        if self._closed:
            return
        self._closed = True
        with self._opened, writing(self.path):
            self._history.flush()


class StoredRun:
    """A run directory open for reading. Each part is read on access; RunError says what is wrong with it."""

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            raise RunError(f"expected a run's directory, but {path} is not one: `distsearch list` shows the runs")
        if not (path / MANIFEST).exists():
            raise RunError(f"{path} is not a distsearch run: it has no {MANIFEST}")
        self.path = path if path.name not in ("", "..") else path.resolve()  # "." has no name
        self._saved = claims.saved_at(path)
        self.manifest = _manifest(path)

    def check_unsaved(self) -> None:
        """RunError if it has been saved since this was opened: what was read of it may be out of date."""
        if claims.saved_at(self.path) != self._saved:
            raise RunError(f"{self.path} was continued by another process in the meantime: resume it again")

    @cached_property
    def config(self) -> RunConfig:
        """The resolved configuration."""
        documents.check_toml(self.path / CONFIG)
        try:
            return config.from_sections(toml.read_toml(self.path / CONFIG))
        except SettingError as error:
            raise RunError(f"{self.path / CONFIG} is damaged: {error}") from None

    def reader_for(self, path: str) -> str:
        """The reader chosen explicitly for the training file, if `path` has the same suffix; else empty."""
        data = self.config.data
        return data.reader if Path(path).suffix == Path(data.source).suffix else ""

    @property
    def result(self) -> Result | None:
        """How the run ended; None if it has not ended."""
        path = self.path / RESULT
        return documents.read_json(path, Result) if path.exists() else None

    def entries(self) -> Iterator[Entry]:
        """The rounds in order, with their losses. Raises RunError naming what is damaged."""
        rounds = 0
        for entry in history.entries(self.path):
            rounds += 1
            yield entry
        if (result := self.result) is not None and result.rounds != rounds:
            raise RunError(
                f"the history of {self.path} is damaged: it has {rounds} rounds, but the result says {result.rounds}"
            )

    def history(self) -> Iterator[RoundRecord]:
        """The rounds' records in order."""
        return (entry.record for entry in self.entries())

    def best(self) -> dict[str, NDArray[Any]]:
        """The tensors of the best weights."""
        return self.content(BEST)[0]

    def start(self) -> checkpoints.Content | None:
        """The given first weights, and their loss if it was measured; None if they follow from the seed."""
        path = self.path / START
        return checkpoints.read(path) if path.exists() else None

    @property
    def rounds(self) -> int:
        """The number of rounds completed at the checkpoint."""
        return int(self.content(CHECKPOINT)[1]["round"])

    @property
    def has_begun(self) -> bool:
        """Whether anything was saved; if not, the run was killed before it could search, or is about to."""
        return any((self.path / name).exists() for name in (CHECKPOINT, PREVIOUS, BEST)) or any(self.history())

    def content(self, name: str) -> checkpoints.Content:
        """The content of a file that every save writes. RunError if it is missing or damaged."""
        if not self.has_begun:
            raise RunError(f"{self.path} has not begun to search: it is still starting, or was killed; resume it")
        return checkpoints.read(self.path / name)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep others from writing to the directory while entered. Raises RunError if another process is writing."""
        descriptor = lock(self.path)
        try:
            yield
        finally:
            os.close(descriptor)

    def state(self, kind: type[T]) -> T:
        """The state in the checkpoint or, with a warning, in the previous one if that is damaged."""
        try:
            return checkpoints.unflatten(kind, *self.content(CHECKPOINT))
        except RunError as error:
            if not (self.path / PREVIOUS).exists():
                raise
            state = checkpoints.unflatten(kind, *checkpoints.read(self.path / PREVIOUS))
            LOG.warning(f"{error}: continuing from the previous checkpoint, at round {state.round}")
            return state


class _Kind(msgspec.Struct):
    """The fields that say which program wrote a document, and in which format."""

    program: str
    format: int


def _manifest(path: Path) -> Manifest:
    """Read the manifest, after checking that this program can read its format."""
    try:
        kind = msgspec.json.decode(documents.read_bytes(path / MANIFEST), type=_Kind)
    except documents.UNREADABLE as error:
        raise RunError(f"{path / MANIFEST} is damaged or was not written by distsearch: {error}") from None
    if kind.program != "distsearch":
        raise RunError(f"{path} is a run of {kind.program}, not of distsearch")
    if kind.format > FORMAT:
        raise RunError(
            f"{path} was written by a newer distsearch (format {kind.format}, this one reads up to {FORMAT}): "
            "upgrade distsearch"
        )
    return documents.read_json(path / MANIFEST, Manifest)
