"""Things that users choose by name: built-in ones, entry points of other installed packages, and `module:attribute`.

A package declares its own in its pyproject.toml, in the group `distsearch.` + the registry's plural:

    [project.entry-points."distsearch.strategies"]
    my-strategy = "my_package.strategies:MyStrategy"
"""

import hashlib
import importlib
import logging
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import EntryPoint, entry_points, packages_distributions, version
from itertools import count
from pathlib import Path
from typing import Any, Generic, TypeVar

from distsearch.errors import SettingError, brief, unknown
from distsearch.errors.attribution import called, owns

LOG = logging.getLogger(__name__)

T = TypeVar("T")

APART = str.maketrans(dict.fromkeys("-_ "))  # what may or may not stand between the words of a name


class Given(Generic[T]):
    """Things by names that others may also have, as two lambdas of a function do: each thread finds its own again."""

    def __init__(self) -> None:
        self._of_threads = threading.local()
        self._of_all: dict[str, T] = {}

    def put(self, name: str, thing: T) -> None:
        """Let a name stand for something: in this thread, and in those in which it stands for nothing."""
        vars(self._of_threads)[name] = self._of_all[name] = thing

    def get(self, name: str) -> T | None:
        """What a name stands for; None if nothing."""
        found: T | None = vars(self._of_threads).get(name, self._of_all.get(name))
        return found

    def clear(self) -> None:
        """Forget all of it."""
        vars(self._of_threads).clear()
        self._of_all.clear()


class Registry(Generic[T]):
    """The things of one kind, by name.

    `what` and `plural` are the words for the kind, `own` are the built-in ones, and `fits` says whether something is of
    the kind, which `expected` describes. `also_called` maps other common names to the built-in ones, and `not_here`
    names of something else to what to choose instead. `apart` are words that are understood beside the names.
    """

    def __init__(
        self,
        what: str,
        plural: str,
        own: Mapping[str, T],
        fits: Callable[[Any], bool],
        expected: str,
        also_called: Mapping[str, str] | None = None,
        not_here: Mapping[str, str] | None = None,
        apart: Iterable[str] = (),
    ) -> None:
        self.what = what
        self.plural = plural
        self.own = dict(own)
        self._given: Given[T] = Given()
        self._fits = fits
        self._expected = expected
        self._also_called = {self._plain(other): ours for other, ours in (also_called or {}).items()}
        self._not_here = {self._plain(other): instead for other, instead in (not_here or {}).items()}
        self._apart = tuple(apart)

    def names(self) -> list[str]:
        """All names, built-in ones first; a plug-in that has the name of one of those is hidden, with a warning."""
        offered = _offered(self.plural)
        for name in self.own.keys() & offered.keys():
            _warn_hidden(self.what, name, offered[name].value)
        return [*self.own, *(name for name in offered if name not in self.own)]

    def named(self, name: str) -> str:
        """Our own name for what a user calls something: relu for ReLU, mean-squared-error for mse; else unchanged."""
        if name in self or ":" in name:
            return name
        known = {self._plain(each): each for each in (*_offered(self.plural), *self.own)}
        return (known | self._also_called).get(self._plain(name), name)

    def _plain(self, name: str) -> str:
        """A name without what people spell differently: crossentropy for Cross_Entropy and CrossEntropyLoss."""
        plain = name.lower().translate(APART)
        return plain.removesuffix(self.what) or plain

    def items(self) -> Iterator[tuple[str, T]]:
        """All names and what they stand for; plug-ins that cannot be loaded are left out, with a warning."""
        for name in self.names():
            try:
                yield name, self._found(name)[0]
            except SettingError as error:
                LOG.warning(f"{error}: skipped")

    def __contains__(self, name: str) -> bool:
        return name in self.own or name in _offered(self.plural)

    def name_of(self, given: T, beside: Sequence[str] = ()) -> str:
        """The name by which something given in Python is found again: here, and wherever it can be imported.

        It is numbered where one of those `beside` it is that of something else, as another lambda is.
        """
        module, attribute = getattr(given, "__module__", ""), getattr(given, "__qualname__", type(given).__name__)
        path = name = f"{module}:{attribute}"
        numbers = count(2)
        while name in beside and self._given.get(name) is not given:
            name = f"{path}#{next(numbers)}"
        self._given.put(name, self._checked(name, given))
        return name

    def find(self, name: str) -> T:
        """What a name stands for. Raises SettingError if there is no such thing, or if it is of the wrong kind."""
        found, path = self._found(name)
        if path:
            self._answers_for(self.named(name), found, path)
        return found

    def _found(self, name: str) -> tuple[T, str]:
        """What a name stands for, and the path that it was imported by, if it was."""
        name = self.named(name)
        if name in self.own:
            return self.own[name], ""
        if (given := self._given.get(name)) is not None:
            return given, ""
        if ":" in name:
            return self._checked(name, _import(self.what, name)), name
        if name in (offered := _offered(self.plural)):
            path = offered[name].value
            return self._checked(name, _import(f"{self.what} {name}", path)), path
        if instead := self._not_here.get(self._plain(name)):
            raise SettingError(f"unknown {self.what} {brief(name)}: {instead}")
        known = [*self.names(), *self._apart]
        raise SettingError(f"{unknown(self.what, name, known)}, or module:name for one of your own")

    def origin(self, name: str) -> dict[str, str] | None:
        """The origin of the code behind a name, unless it is built in: recorded with a run, for later comparison."""
        name = self.named(name)
        if name in self.own:
            return None
        self.find(name)
        path = name if ":" in name else _offered(self.plural)[name].value
        return {"kind": self.what, "name": name, "code": path, **_source(path.partition(":")[0])}

    def _answers_for(self, name: str, found: T, path: str) -> None:
        """Note that what was found at a path answers for the errors of its file from now on."""
        named, defined = path.partition(":")[0], getattr(found, "__module__", "")
        for module in {named, defined if _package(defined) == _package(named) else named}:
            if file := getattr(sys.modules.get(module), "__file__", None):
                owns(file, f"the {self.what} {name}")

    def _checked(self, name: str, found: Any) -> T:
        if not self._fits(found):
            raise SettingError(f"{self.what} {name}: expected {self._expected}, got {brief(found)}")
        checked: T = found
        return checked


def _package(module: str) -> str:
    return module.partition(".")[0]


@cache
def _offered(plural: str) -> dict[str, EntryPoint]:
    """The entry points of other installed packages, by name."""
    return {point.name: point for point in entry_points(group=f"distsearch.{plural}")}


@cache
def _warn_hidden(what: str, name: str, path: str) -> None:
    """Say once that a plug-in cannot be chosen by its name."""
    LOG.warning(f"{what} {name}: the built-in one is used, not the plug-in of that name; that one is {path}")


def _import(what: str, path: str) -> Any:
    """Import the object at a path such as `package.module:attribute`; the module may be in the current folder."""
    module, _, attribute = path.partition(":")
    if "" not in sys.path and (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)
    try:
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise SettingError(f"{what}: cannot load {path!r} ({reason}){called(error)}{_remedy(path)}") from error
    return found


def _remedy(path: str) -> str:
    """What to do about code that only the program knew which gave it."""
    if "<" in path:  # <lambda>, or <locals> of a function
        return ": only the program that made it has it; next time, give it a name in a module"
    return ": define it in this program first, or next time in a module" if path.startswith("__main__:") else ""


@cache
def _packages() -> Mapping[str, list[str]]:
    """The packages of each top-level module: once, because looking at all that is installed takes 0.2 s."""
    return packages_distributions()


def _source(module: str) -> dict[str, str]:
    """The hash of a module's file, and the package and version that it belongs to, where they exist."""
    source: dict[str, str] = {}
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is not None and Path(file).is_file():
        source["sha256"] = hashlib.sha256(Path(file).read_bytes()).hexdigest()
    packages = _packages().get(_package(module), [])
    if packages:
        source |= {"package": packages[0], "version": version(packages[0])}
    return source
