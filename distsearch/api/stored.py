"""What `distsearch.resume` and `distsearch.verify` do: a stored run in use again, with what is not kept in it."""

import logging
import os
from collections.abc import Callable
from numbers import Integral
from typing import Any

from distsearch.api.callbacks import observers_of, with_progress
from distsearch.api.files import path_of
from distsearch.api.functions import check_function
from distsearch.api.outcome import searched
from distsearch.api.results import FunctionResult
from distsearch.api.torch_datasets import arrays_of, is_of_torch
from distsearch.api.wording import speaking_python
from distsearch.errors import SettingError, brief
from distsearch.runs.directory import StoredRun
from distsearch.search import verification
from distsearch.search.interrupts import passed_on
from distsearch.search.resumption import other_machine, prepare_to_resume
from distsearch.search.retrieval import Handed, own_assembly
from distsearch.search.verification import Verdict
from distsearch.text import expanded
from distsearch.workers.place import keep_ray

LOG = logging.getLogger(__name__)

ALL = "all"


def resume(
    path: str | os.PathLike[str],
    handed: Handed,
    *,
    rounds: int | None,
    seconds: float | None,
    max_evaluations: int | None,
    evaluations: int | None,
    workers: int | None,
    storage: str | os.PathLike[str] | None,
    force: bool,
    callbacks: Any,
) -> FunctionResult:
    """See `distsearch.resume`."""
    observers = with_progress(observers_of(callbacks))
    if None not in (max_evaluations, evaluations):
        raise SettingError("evaluations: is the same setting as max_evaluations: leave one of them out")
    more_evaluations = evaluations if max_evaluations is None else max_evaluations
    keep_ray()
    with passed_on() as interrupts, speaking_python():
        stored = _stored(path)
        place = None if storage is None else expanded(storage)
        more = rounds, seconds, workers, force, place, handed, more_evaluations
        ready = interrupts.begin(prepare_to_resume, stored, *more)
        return searched(ready.assembly, ready.run, interrupts, observers, ready.done)


def verify(path: str | os.PathLike[str], handed: Handed, *, rounds: int | str, workers: int) -> Verdict:
    """See `distsearch.verify`."""
    if rounds != ALL and (not isinstance(rounds, Integral) or isinstance(rounds, bool) or rounds < 0):
        raise SettingError(f"rounds: expected a number of rounds to evaluate again, or {ALL!r}, got {brief(rounds)}")
    keep_ray()
    with passed_on() as interrupts, speaking_python():
        stored = _stored(path)
        if other := other_machine(stored):
            LOG.warning(other)
        recorded = sum(1 for _ in stored.history())
        chosen = range(recorded) if isinstance(rounds, str) else verification.sample(recorded, int(rounds))
        assembly = interrupts.begin(own_assembly, stored, workers, handed)
        again = verification.Replay(stored)
        return interrupts.begin(verification.verify, again, assembly, chosen, lambda number: None)


def _stored(path: object) -> StoredRun:
    return StoredRun(path_of(path, "a run's folder"))


def handed_over(X: Any, y: Any, sample_weight: Any, data: Any, function: Callable[[Any], Any] | None) -> Handed:
    """The data or function given for a run that lacks it. Raises SettingError if too much or only half is given."""
    if function is not None:
        check_function(function)
    if is_of_torch(X):
        X, y = arrays_of(X, y)
    if (X is None) != (y is None):
        raise SettingError(
            f"expected X and y, the data that the run was trained on, but {'X' if X is None else 'y'} is missing"
        )
    if sample_weight is not None and X is None:
        raise SettingError("sample_weight: expected X and y as well, the data that the run was trained on")
    if sum(given is not None for given in (X, data, function)) > 1:
        raise SettingError("expected X and y, data, or function, and only the one that the run needs")
    return Handed("" if data is None else expanded(data), None if X is None else (X, y, sample_weight), function)
