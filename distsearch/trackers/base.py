"""The base of trackers: an observer that hands a search's rounds to a service, in the background.

The search never waits for the service and never fails with it. What cannot be sent is kept and tried again, the last
time when the search has ended, for GRACE_SECONDS; then a warning says from which round on the service lacks what the
run has. Only before the search begins is a service that cannot be used an error.
"""

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, NamedTuple
from urllib.parse import urlsplit

import msgspec

from distsearch import __version__, config
from distsearch.config import RunConfig, toml
from distsearch.runs import checkpoints, documents
from distsearch.runs.directory import Manifest, Result
from distsearch.runs.history import RoundRecord
from distsearch.runs.layout import CONFIG, MANIFEST
from distsearch.search.observers import Observer, Opened, Round
from distsearch.search.provenance import provenance
from distsearch.search.saving import model_file
from distsearch.search.spent import Spent
from distsearch.settings import Settings, declarations
from distsearch.strategies.base import State
from distsearch.trackers.memory import recall
from distsearch.trackers.sending import Sender

LOG = logging.getLogger(__name__)

GRACE_SECONDS = 30.0  # that the end of a search waits for a service

FINISHED, FAILED, STOPPED = "finished", "failed", "stopped"
"""How a search has ended: by a limit, with an error, or by the user."""

MODEL, WEIGHTS = "model.safetensors", "weights.safetensors"  # as `distsearch.load` reads it; of a function


class Row(NamedTuple):
    """What a service is told of a round."""

    round: int
    time: float  # seconds since the epoch, at its end
    values: dict[str, float]


@dataclass(frozen=True)
class Description:
    """A search, as a service is told of it at its beginning."""

    name: str  # of the run; of its strategy and seed if it is not kept
    settings: dict[str, str]
    facts: dict[str, str]  # about it, such as the fingerprint of the data
    files: dict[str, bytes]


class Tracker(Observer, ABC):
    """Tells a service of a search. A subclass says how; all that it is asked for beside `ask` is on one thread."""

    name: ClassVar[str]
    """The word for it in --track, and of its extra."""

    def __init__(self, place: str = "") -> None:
        self.place = place
        self._asked = False
        self._sender: Sender | None = None
        self._state: State | None = None

    @abstractmethod
    def ask(self) -> None:
        """Raise SettingError if the service cannot be used; within seconds, and without writing anything there."""

    @abstractmethod
    def begin(self, search: Description, identity: str | None) -> str:
        """Begin a run in the service, or go on with the one of this identity, and return its identity."""

    @abstractmethod
    def log(self, rows: Sequence[Row]) -> None:
        """Add rounds, in order."""

    @abstractmethod
    def finish(self, how: str, figures: Mapping[str, float], files: Mapping[str, bytes]) -> None:
        """End the run: FINISHED, FAILED or STOPPED, with the result's figures and the model's files, if there are."""

    def check(self) -> None:
        """Ask whether the service can be used: once before each search. SettingError if not."""
        if not self._asked:
            self.ask()
            self._asked = True

    def opened(self, search: Opened) -> None:
        """Begin to send, in the background."""
        self.check()
        self._search = search
        known = recall(search.path, self.name, self.place)
        self._epoch = time.time() - (search.done[-1].seconds if search.done else 0.0)
        self._sender = Sender(self, partial(described, search), self._row, search.path, known)
        for row in search.done:
            self._sender.add(row)
        self._how, self._figures, self._files = FAILED, dict[str, float](), dict[str, bytes]()
        self._sender.start()

    def started(self, state: State) -> None:
        """Keep the state."""
        self._state = state

    def round(self, done: Round) -> None:
        """Put the round in the queue."""
        self._state = done.after
        if self._sender is not None:
            self._sender.add(done.record)
            self._sender.warn_once()

    def cut(self, state: State, spent: Spent) -> None:
        """Keep the state, whose best weights are those of the round that was given up."""
        self._state = state

    def ended(self, result: Result) -> None:
        """Keep the result and the model for the end."""
        self._how = STOPPED if result.reason == "interrupted" else FINISHED
        self._figures = {f"result.{name}": value for name, value in documents.numbers(result).items()}
        if self._state is not None:
            self._files = _model(self._search, self._state, result)

    def closed(self, error: BaseException | None) -> None:
        """Send what is left, and end the run there; give up, with a warning, after GRACE_SECONDS."""
        self._asked = False
        if self._sender is None:
            return
        if error is not None:
            self._how = FAILED if isinstance(error, Exception) else STOPPED
        sender, self._sender = self._sender, None
        sender.close(self._how, self._figures, self._files, GRACE_SECONDS)

    def _row(self, record: RoundRecord) -> Row:
        return Row(record.round, self._epoch + record.seconds, documents.numbers(record, without=("round",)))


def described(search: Opened) -> Description:
    """What a service is told of a search at its beginning."""
    manifest = search.manifest()
    return Description(
        search.path.name if search.path else search.config.output.name or _name(search.config),
        dict(_settings(search.config, search.settings)),
        _facts(manifest),
        {
            CONFIG: toml.to_toml(search.config, search.settings).encode(),
            MANIFEST: msgspec.json.format(msgspec.json.encode(documents.named(msgspec.to_builtins(manifest)))),
        },
    )


def _name(chosen: RunConfig) -> str:
    return f"{chosen.strategy.name}-seed-{chosen.strategy.seed}"


def _settings(chosen: RunConfig, own: Settings) -> Iterable[tuple[str, str]]:
    """The settings that are set, by the names of keyword arguments; those of the output are not the search's."""
    groups: dict[str, Settings] = {name: getattr(chosen, name) for name in config.SECTIONS if name != "output"}
    for group in [*groups.values(), own]:
        for setting in declarations(type(group)):
            value: Any = getattr(group, setting.name)
            if value not in (None, ""):
                text = ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
                yield setting.flag.replace("-", "_"), text


def _facts(manifest: Manifest) -> dict[str, str]:
    return {
        "distsearch.version": __version__,
        "distsearch.fingerprint": manifest.fingerprint,
        "distsearch.weights": str(manifest.weights),
        "distsearch.examples": str(manifest.examples),
        **{f"machine.{name}": text for name, text in manifest.machine.items()},
    }


def _model(search: Opened, state: State, result: Result) -> dict[str, bytes]:
    weights, schema = state.best.weights, search.manifest().data
    if schema:
        origin = provenance(search.config, search.manifest().fingerprint, result)
        return {MODEL: model_file(search.config.network, schema, {**search.named(weights)}, result, (), origin)}
    return {WEIGHTS: checkpoints.encode(*checkpoints.best_content(state.best, search.named(weights)))}


def without_password(uri: str) -> str:
    """The URI as it may be shown."""
    parts = urlsplit(uri)
    return uri.replace(f"{parts.username or ''}:{parts.password}@", "…@") if parts.password else uri
