"""The tree of errors. Each is one sentence for the user: what was expected, what came, what to do.

DistsearchError
├── UserError            exit code 2   something given by the user cannot be used
│   ├── SettingError                   a setting is unknown, out of range or of the wrong type
│   ├── DataError                      a data set cannot be read or used
│   ├── TooLargeError                  something would take more memory than is available
│   ├── RunError                       a run directory is missing, foreign, damaged or already exists
│   └── StorageError                   shared storage is unreachable, unusable or damaged
│       └── OvertakenError             another driver has continued the run
├── WorkersError         exit code 3   the workers cannot start or are all lost
├── ClusterError         exit code 3   a Ray cluster does not answer, or cannot do what is asked
└── ObjectiveError       exit code 4   the objective failed, or returned no finite loss
"""

import pickle
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any

_LONGEST_SHOWN = 60  # characters of a value shown in a message
_MOST_LISTED = 24  # names that a message lists
_ALIKE = 0.6  # of a name that is suggested
_HELD = "What the search had found is the `result` of this exception (in a notebook, sys.last_value.result)."


class DistsearchError(Exception):
    """The base of all errors that distsearch reports to the user."""

    exit_code = 1
    result: Any = None
    """The result so far of a search called from Python, see `hold`."""


class UserError(DistsearchError):
    """Something given by the user cannot be used."""

    exit_code = 2


class SettingError(UserError):
    """A setting is unknown, out of range or of the wrong type."""


class DataError(UserError):
    """A data set cannot be read or used."""


class TooLargeError(UserError):
    """Something would take more memory than is available."""


class RunError(UserError):
    """A run directory is missing, foreign, damaged or already exists."""


class StorageError(UserError):
    """Shared storage is unreachable, unusable or damaged."""


class OvertakenError(StorageError):
    """Another driver has continued the run."""


class WorkersError(DistsearchError):
    """The workers cannot start or are all lost."""

    exit_code = 3


class ClusterError(DistsearchError):
    """A Ray cluster does not answer, or cannot do what is asked."""

    exit_code = 3


class ObjectiveError(DistsearchError):
    """The objective failed, or returned no finite loss. Its cause, if any, is kept between processes."""

    exit_code = 4
    printed = ""
    """What the objective printed on a worker before it failed."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _objective_error, (str(self), _picklable(self.__cause__), self.printed)


def _objective_error(message: str, cause: BaseException | None, printed: str) -> ObjectiveError:
    error = ObjectiveError(message)
    error.__cause__ = cause
    error.printed = printed
    return error


def _picklable(error: BaseException | None) -> BaseException | None:
    """The error, or None if it cannot be pickled."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301  (our own bytes)
    except Exception:  # noqa: BLE001  (an exception's class may do anything)
        return None
    return error


def hold(error: BaseException, result: Any) -> None:
    """Let an error that ends a search called from Python hold the result so far, in the form it would be returned.

    Errors that are not ours, such as KeyboardInterrupt, say so where they are shown.
    """
    if result is None:
        return
    error.result = result  # type: ignore[attr-defined]  # any exception takes attributes
    if not isinstance(error, DistsearchError):
        error.add_note(_HELD)


def brief(value: object) -> str:
    """A value as error messages show it: on one line, and not too long."""
    try:
        text = repr(value)
    except ValueError:  # Python refuses to write integers of more than 4,300 digits
        return "a number of thousands of digits"
    if "\n" in text:  # as data frames and tensors are written
        text = " ".join(text.split())
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}…"


def unknown(
    what: str,
    came: str,
    known: Iterable[str],
    most_listed: int = _MOST_LISTED,
    everywhere: str = "there are",
    alike: float = _ALIKE,
) -> str:
    """The sentence for an unknown name, suggesting the closest known names; all of them if they are few.

    Of more than `most_listed` it has the number, after `everywhere`, which may say where they are shown. `alike` is how
    similar a name has to be to be suggested, from 0 to 1.
    """
    names = sorted(known)
    if len(names) > most_listed:
        hint = did_you_mean(near(came, names, 3, alike))
        return f"unknown {what} {brief(came)}: {hint}{everywhere} {len(names):,}"
    hint = did_you_mean(near(came, names, 1, alike))
    return f"unknown {what} {brief(came)}: {hint}expected one of {', '.join(names)}"


def near(came: str, names: Iterable[str], most: int, alike: float = _ALIKE) -> list[str]:
    """The names closest to the one given: those that begin with it, and those spelt alike."""
    names = list(names)
    beginning = [name for name in names if came and name.startswith(came)]
    return list(dict.fromkeys([*beginning, *get_close_matches(came, names, most, alike)]))[:most]


def did_you_mean(names: Sequence[str]) -> str:
    """A question that ends in a space; empty without names."""
    *others, last = [repr(name) for name in names] or [""]
    return f"did you mean {', '.join(others)}{' or ' if others else ''}{last}? " if last else ""
