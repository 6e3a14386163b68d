"""The runs that figures and reports are about: their records, and on demand their model and their data."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from distsearch.config import RunConfig
from distsearch.data.datasets import Dataset, Examples
from distsearch.errors import RunError
from distsearch.objectives.model import Model
from distsearch.runs.directory import StoredRun
from distsearch.runs.history import RoundRecord
from distsearch.search.resumption import stored_model
from distsearch.search.retrieval import NOTHING, Handed, own_data

TEST, TRAINING = "test examples", "training examples"


@dataclass(frozen=True)
class Subject:
    """A stored run, and what was handed over for it."""

    stored: StoredRun
    handed: Handed = NOTHING

    @property
    def name(self) -> str:
        """The run's name."""
        return self.stored.path.resolve().name

    @property
    def config(self) -> RunConfig:
        """Its configuration."""
        return self.stored.config

    @cached_property
    def _history(self) -> tuple[list[RoundRecord], NDArray[np.float64]]:
        """Its rounds, and the lowest loss of each; the losses of all candidates might not fit into memory."""
        rounds, lowest = [], []
        for entry in self.stored.entries():
            rounds.append(entry.record)
            lowest.append(_lowest_tried(entry.losses))
        if not rounds:
            raise RunError(f"{self.name} has no rounds yet: there is nothing to show")
        return rounds, np.array(lowest)

    @property
    def rounds(self) -> list[RoundRecord]:
        """Its rounds. RunError if there are none yet."""
        return self._history[0]

    @property
    def lowest(self) -> NDArray[np.float64]:
        """The lowest finite loss of each round's candidates, without its center, (rounds,)."""
        return self._history[1]

    @cached_property
    def model(self) -> Model:
        """Its network with the best weights. RunError if it minimised a function."""
        if not self.stored.manifest.data:
            raise RunError(f"{self.name} minimised a function, which has neither data nor a network to show")
        return stored_model(self.stored)

    @cached_property
    def dataset(self) -> Dataset:
        """The data that it was trained on. RunError if it has changed since, DataError if it cannot be read."""
        _ = self.model
        return own_data(self.stored, self.handed)

    @property
    def judged(self) -> tuple[str, Examples]:
        """The examples that it is judged by, and what they are: those never trained on, if there are any."""
        dataset = self.dataset
        return (TEST, dataset.test) if dataset.test is not None else (TRAINING, dataset.train)


class Group(NamedTuple):
    """Runs that differ in nothing but their seed."""

    name: str
    members: Sequence[Subject]


def groups(subjects: Iterable[Subject]) -> list[Group]:
    """The runs, those that differ in nothing but their seed together, in the order that they were given in."""
    alike: dict[bytes, list[Subject]] = {}
    for subject in subjects:
        alike.setdefault(_but_seed(subject.config), []).append(subject)
    strategies = [members[0].config.strategy.name for members in alike.values()]
    sizes = {len(members) for members in alike.values()}
    named = []
    for members, strategy in zip(alike.values(), strategies, strict=True):
        if len(members) == 1:
            named.append(Group(members[0].name, members))
        else:
            stem = strategy if strategies.count(strategy) == 1 else _name_of([each.name for each in members])
            named.append(Group(stem if len(sizes) == 1 else f"{stem}, {len(members)} seeds", members))
    return named


def _name_of(names: Sequence[str]) -> str:
    """A name for several runs: the pattern that fits them, if they begin alike."""
    alike = takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    stem = "".join(letters[0] for letters in alike)
    return f"{stem}*" if len(stem) > 1 else f"{names[0]} and others"


def _but_seed(config: RunConfig) -> bytes:
    document: dict[str, Any] = msgspec.to_builtins(config)
    document["strategy"].pop("seed")
    return msgspec.json.encode([document[part] for part in ("data", "network", "strategy", "settings", "stop")])


def column(rounds: Sequence[RoundRecord], name: str) -> NDArray[np.float64]:
    """A figure of every round, (rounds,); not a number where it was not measured."""
    found = [getattr(row, name) for row in rounds]
    return np.array([np.nan if value is None else value for value in found], np.float64)


def _lowest_tried(losses: NDArray[np.float64]) -> float:
    """The lowest finite loss of a round, (units,), without that of the center; not a number if there is none."""
    tried = losses[1:] if len(losses) > 1 else losses
    finite = tried[np.isfinite(tried)]
    return float(finite.min()) if len(finite) else float("nan")
