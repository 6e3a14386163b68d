"""The trackers that a configuration names: observers that send a search's settings and rounds elsewhere."""

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from pathlib import Path

from msgspec import structs

from distsearch.config import RunConfig
from distsearch.errors import SettingError
from distsearch.registry import Registry
from distsearch.search.observers import Observer
from distsearch.settings import with_changes
from distsearch.text import expanded

Maker = Callable[[str], Observer]
"""Makes a tracker from what stands after its name: a URI, a folder or a project; empty if nothing does.

If the observer has a method `check`, that is called before anything is written, and refuses what cannot be reached.
"""


def _ours(name: str, attribute: str, place: str) -> Observer:
    """A tracker of ours. Its room is above this one, and its package takes seconds to import."""
    made: Observer = getattr(import_module(f"distsearch.trackers.{name}"), attribute)(place)
    return made


FOLDERS = ("mlflow", "tensorboard")
"""Trackers whose place is a folder, unless it has a colon or is one of SERVICES."""
SERVICES = ("databricks", "databricks-uc", "uc")
DEFAULT_FOLDERS = {"tensorboard": "tensorboard"}

TRACKERS: Registry[Maker] = Registry(
    "tracker",
    "trackers",
    {
        "mlflow": partial(_ours, "mlflow", "MLflow"),
        "tensorboard": partial(_ours, "tensorboard", "TensorBoard"),
        "wandb": partial(_ours, "wandb", "WandB"),
    },
    callable,
    "a function of a URI that returns a distsearch.search.observers.Observer",
)


def with_trackers(config: RunConfig, track: str | None = None) -> RunConfig:
    """The configuration with other trackers, if given; their folders mean the same wherever the run is resumed."""
    output = config.output if track is None else with_changes(config.output, "output", track=track)
    return structs.replace(config, output=structs.replace(output, track=tuple(map(_settled, output.track))))


def _settled(word: str) -> str:
    name, folder = _parted(word)[0], folder_of(word)
    return f"{name}:{Path(expanded(folder)).absolute()}" if folder else word


def folder_of(word: str) -> str:
    """The folder that a tracker writes to, as it was given; empty if it writes to none, or to one of its own choice."""
    name, place = _parted(word)
    folder = place or DEFAULT_FOLDERS.get(name, "")
    return folder if name in FOLDERS and ":" not in folder and folder not in SERVICES else ""


def names_of(words: Iterable[str]) -> list[str]:
    """The names of the trackers that words choose."""
    return [_parted(word)[0] for word in words]


def trackers(words: Iterable[str], resumed: bool = False) -> list[Observer]:
    """The trackers of words such as mlflow:http://host:5000, ready to be used.

    Raises SettingError for one that is unknown, whose package is missing or that cannot be reached.
    """
    found = []
    for word in words:
        name, place = _parted(word)
        made = TRACKERS.find(name)(place)
        if not isinstance(made, Observer):
            raise SettingError(f"output.track: expected {name} to make an observer, got {type(made).__name__}")
        try:
            getattr(made, "check", lambda: None)()
        except SettingError as error:
            without = '; or continue without it by --track ""' if resumed else ""
            raise SettingError(f"output.track: {error}{without}") from None
        found.append(made)
    return found


def _parted(word: str) -> tuple[str, str]:
    """The name in a word, and what stands after it; of module:attribute:URI, the first colon is part of the name."""
    name, _, place = word.partition(":")
    if name in TRACKERS or not place or get_close_matches(name, TRACKERS.names()):  # and not a module, but misspelt
        return name, place
    attribute, _, place = place.partition(":")
    return f"{name}:{attribute}", place
