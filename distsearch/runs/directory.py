"""A run's directory: written by the search, read by everything else.

config.toml               the resolved configuration; `run --config` accepts it
manifest.json             what made the run: versions, processors, data fingerprint and schema
history.jsonl             a line a round, only ever appended to
losses.bin                the loss of every candidate of every round
best.safetensors          the lowest-loss weights, the tensors of each layer
checkpoint.safetensors    the strategy's state between two rounds
result.json               how it ended; missing while the search runs

In all of them a number that is infinite or not a number is the text "inf", "-inf" or "nan" (format 1 had null).
"""

import logging
import os
import shutil
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
from distsearch.config import RunConfig
from distsearch.errors import RunError, SettingError
from distsearch.runs import checkpoints, documents, files, history, names
from distsearch.runs.claims import claim, locked
from distsearch.runs.history import Entry, HistoryWriter, RoundRecord
from distsearch.runs.layout import BEST, CHECKPOINT, CONFIG, MANIFEST, PREVIOUS, RESULT
from distsearch.settings import Settings
from distsearch.strategies.base import State

LOG = logging.getLogger(__name__)

T = TypeVar("T", bound=State)

FORMAT = 2
FLUSH_SECONDS = 0.5
SAVE_SECONDS = 5.0
SAVE_SHARE = 0.01  # of a run's time that saving may cost


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What made a run."""

    program: str = "distsearch"
    format: int = FORMAT
    created: str
    machine: dict[str, str]
    weights: int
    examples: int  # to be trained on
    fingerprint: str  # of the data
    data: dict[str, Any]  # the data's schema, to read further data alike
    workers: tuple[dict[str, str], ...] = ()  # one of each kind of machine that has computed, this one apart
    code: tuple[dict[str, str], ...] = ()  # of other packages and the user's own: where it came from, and its hash


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended; losses and accuracies are those of its best weights."""

    run: str
    reason: str
    rounds: int
    candidates: int  # losses: of candidates, or of the units that a strategy has in their place
    seconds: float
    loss: float = inf  # as it is before the first round
    accuracy: float | None = None
    test_loss: float | None = None
    test_accuracy: float | None = None
    best_round: int
    best_index: int
    non_finite: int = 0  # candidates whose loss was infinite or not a number
    passes: float = 0.0  # forward passes over all training examples, or calls of a function


class Run:
    """A run directory that is being written, by one process at a time."""

    def __init__(self, path: Path, manifest: Manifest, rounds: int = 0) -> None:
        self.path = path
        self._manifest = manifest
        with ExitStack() as opened:
            opened.callback(os.close, locked(path))
            self._history = opened.enter_context(closing(HistoryWriter(path, history.position(path, rounds))))
            self._opened = opened.pop_all()
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
    ) -> "Run":
        """A new directory, under a name that is not `taken` elsewhere; none if anything fails.

        RunError, and no directory, if there is one of that name, if the name is not plain or the folder not writable.
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
            return run
        except OSError as error:
            raise RunError(
                f"cannot write to the folder {folder} ({error.strerror}): choose another with --runs"
            ) from None

    @classmethod
    def reopen(cls, stored: "StoredRun", rounds: int, settings: RunConfig, strategy_settings: Settings) -> "Run":
        """The directory of a run that goes on after so many rounds, its history cut back to them.

        RunError if another process is writing to it, or if it cannot be written.
        """
        path = stored.path
        with _writing(path), cls._opened_at(path, stored.manifest, rounds) as run:
            for left in path.glob(f"*{files.TEMPORARY}"):
                left.unlink()
            (path / RESULT).unlink(missing_ok=True)
            run._describe(settings, strategy_settings)
        return run

    @classmethod
    @contextmanager
    def _opened_at(cls, path: Path, manifest: Manifest, rounds: int = 0) -> Iterator["Run"]:
        """The run in a directory, which is let go of if what is done with it here fails."""
        run = cls(path, manifest, rounds)
        with ExitStack() as failed:
            failed.push(run._opened)
            yield run
            failed.pop_all()

    def _describe(self, settings: RunConfig, strategy_settings: Settings) -> None:
        text = config.to_toml(settings, strategy_settings)
        files.write_whole(self.path / CONFIG, documents.sealed_toml(text))

    def _introduce(self, manifest: Manifest) -> None:
        self._manifest = manifest
        files.write_whole(self.path / MANIFEST, documents.sealed_json(manifest))

    def record(self, row: RoundRecord, losses: NDArray[np.float64]) -> None:
        """Append a round and the losses of its candidates, (candidates,), to the history."""
        self._history.append(row, losses)
        if row.seconds - self._flushed > FLUSH_SECONDS:
            with _writing(self.path):
                self._history.flush()
            self._flushed = row.seconds

    @property
    def save_is_due(self) -> bool:
        """Whether it is time to save again: so seldom that saving stays a small share of the run."""
        return time.perf_counter() > self._next_save

    def save(
        self, state: State, named: dict[str, NDArray[np.float32]], machines: tuple[dict[str, str], ...] = ()
    ) -> None:
        """Write the history so far, the best weights (by their tensors' names), the checkpoint, and new machines."""
        began = time.perf_counter()
        with _writing(self.path):
            self._history.sync()  # a checkpoint must never be ahead of the history
            files.write_whole(self.path / BEST, checkpoints.encode(*best_content(state, named)))
            content = checkpoints.encode(*checkpoints.flatten(state))
            files.write_whole(self.path / CHECKPOINT, content, self.path / PREVIOUS)
            if new := [each for each in machines if each not in self._manifest.workers]:
                self._introduce(msgspec.structs.replace(self._manifest, workers=(*self._manifest.workers, *new)))
        ended = time.perf_counter()
        self._next_save = ended + max(SAVE_SECONDS, (ended - began) / SAVE_SHARE)

    def finish(self, result: Result) -> None:
        """Write how the run ended."""
        with _writing(self.path):
            files.write_whole(self.path / RESULT, documents.sealed_json(result))

    def close(self) -> None:
        """Write what is still held back and let go of the directory."""
        if self._closed:
            return
        self._closed = True
        with self._opened, _writing(self.path):
            self._history.flush()


class StoredRun:
    """A run directory that is read. Each part is read when it is asked for; RunError says what is wrong with it."""

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            raise RunError(f"expected a run's directory, but {path} is not one: `distsearch list` shows the runs")
        if not (path / MANIFEST).exists():
            raise RunError(f"{path} is not a run of distsearch: it has no {MANIFEST}")
        self.path = path
        self.manifest = _manifest(path)

    @cached_property
    def config(self) -> RunConfig:
        """The resolved configuration."""
        documents.check_toml(self.path / CONFIG)
        try:
            return config.from_sections(config.read_toml(self.path / CONFIG))
        except SettingError as error:
            raise RunError(f"{self.path / CONFIG} is damaged: {error}") from None

    def reader_for(self, path: str) -> str:
        """The reader of the training's file, if it was chosen and a further file is named alike; else empty."""
        data = self.config.data
        return data.reader if Path(path).suffix == Path(data.source).suffix else ""

    @property
    def result(self) -> Result | None:
        """How the run ended; None if it has not."""
        path = self.path / RESULT
        return documents.read_json(path, Result) if path.exists() else None

    def entries(self) -> Iterator[Entry]:
        """The rounds in their order, with their losses. RunError names what is damaged."""
        rounds = 0
        for entry in history.entries(self.path):
            rounds += 1
            yield entry
        if (result := self.result) is not None and result.rounds != rounds:
            raise RunError(f"the history of {self.path} is damaged: it has {rounds} rounds, the result {result.rounds}")

    def history(self) -> Iterator[RoundRecord]:
        """The rounds' records in their order."""
        return (entry.record for entry in self.entries())

    def best(self) -> dict[str, NDArray[Any]]:
        """The tensors of the best weights."""
        return checkpoints.read(self.path / BEST)[0]

    @property
    def rounds(self) -> int:
        """The rounds that the checkpoint has behind it."""
        return int(checkpoints.read(self.path / CHECKPOINT)[1]["round"])

    @contextmanager
    def held(self) -> Iterator[None]:
        """While entered, nobody writes to the directory. RunError if somebody is."""
        lock = locked(self.path)
        try:
            yield
        finally:
            os.close(lock)

    def state(self, kind: type[T]) -> T:
        """The state in the checkpoint, or, if that is damaged, in the one before, with a warning."""
        try:
            return checkpoints.unflatten(kind, *checkpoints.read(self.path / CHECKPOINT))
        except RunError as error:
            if not (self.path / PREVIOUS).exists():
                raise
            state = checkpoints.unflatten(kind, *checkpoints.read(self.path / PREVIOUS))
            LOG.warning(f"{error}: continuing from the checkpoint before it, at round {state.round}")
            return state


def best_content(state: State, named: dict[str, NDArray[np.float32]]) -> checkpoints.Content:
    """What the file of the best weights holds: the tensors, and where and with which loss they were found."""
    best = state.best
    return {**named}, {"loss": documents.named(best.loss), "round": best.round, "index": best.index}


def run_paths(folder: Path) -> list[Path]:
    """The runs' directories in a folder, the oldest first; other directories are passed over."""
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if (path / MANIFEST).exists() and not path.name.startswith(".")]
    return sorted(found, key=lambda path: ((path / MANIFEST).stat().st_mtime, path.name))


@contextmanager
def removed_unless_begun(path: Path) -> Iterator[None]:
    """While entered, a run's directory is removed by whatever fails before its first checkpoint."""
    try:
        yield
    except BaseException:
        if not (path / CHECKPOINT).exists():
            shutil.rmtree(path, ignore_errors=True)
        raise


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """RunError instead of what the system says when a run cannot be written."""
    try:
        yield
    except OSError as error:
        if os.path.exists(path / CHECKPOINT):  # unlike Path.exists, also where that may not be known
            remedy = "its last checkpoint is whole; make room or mend it, then go on with `distsearch resume`"
        else:
            remedy = "its search has not begun; make room, or choose another folder with --runs"
        raise RunError(f"cannot write to the run {path} ({error.strerror}): {remedy}") from None


class _Kind(msgspec.Struct):
    """What tells whose document it is, and which format's."""

    program: str
    format: int


def _manifest(path: Path) -> Manifest:
    """The manifest, once it is clear that this program can read it."""
    try:
        kind = msgspec.json.decode(documents.read_bytes(path / MANIFEST), type=_Kind)
    except documents.UNREADABLE as error:
        raise RunError(f"{path / MANIFEST} is damaged or not distsearch's: {error}") from None
    if kind.program != "distsearch":
        raise RunError(f"{path} is not a run of distsearch but of {kind.program}")
    if kind.format > FORMAT:
        raise RunError(
            f"{path} was written by a newer distsearch (format {kind.format}, this one reads up to {FORMAT}): "
            "upgrade distsearch"
        )
    return documents.read_json(path / MANIFEST, Manifest)
