"""Ask and tell: ask a search for candidates, evaluate them yourself, and tell it their losses."""

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distsearch.api.files import path_of, write
from distsearch.api.functions import first_weights, refuse, refuse_of_networks
from distsearch.api.wording import check_names, speaking_python
from distsearch.config import RunConfig, Value, from_flags, options
from distsearch.data.arrays import of_tensor, unmasked
from distsearch.errors import DataError, ObjectiveError, RunError, SettingError, brief
from distsearch.machine import one_thread
from distsearch.networks.modules.sources import IN_MEMORY
from distsearch.objectives.foreign import number_of
from distsearch.runs import checkpoints
from distsearch.search.assembly import assemble_function
from distsearch.strategies import name_of
from distsearch.strategies.base import Answer, AnyStrategy, State
from distsearch.strategies.population import PopulationStrategy
from distsearch.text import rounds_text

Array = NDArray[np.float32]

TAKEN = ("seed", "rounds", "max_evaluations", "target_loss")
"""Settings besides the strategy's own: a search without workers, data or a clock has no others."""


class Optimizer:
    """A search for the weights of the lowest loss, round by round.

        optimizer = distsearch.Optimizer("cma-es", np.zeros(10), sigma=0.5, rounds=200)
        while not optimizer.done:
            candidates = optimizer.ask()  # (population, n) float32
            optimizer.tell([loss(weights) for weights in candidates])
        optimizer.best, optimizer.best_loss

    With the same settings and losses it finds the same weights as `distsearch.minimize`, bit for bit. `settings` are
    the strategy's own, by the names of `distsearch strategies --settings`; `seed` (0); and `rounds`, `max_evaluations`
    and `target_loss`, by which it is `done` (by default, 1000 rounds).
    """

    def __init__(self, strategy: str | type[AnyStrategy], start: ArrayLike, **settings: Value) -> None:
        """`strategy` is the name of one, or a class of your own; `start` is the first weights, (n,).

        Raises SettingError or DataError for invalid arguments.
        """
        weights, strategy = first_weights(start), name_of(strategy)
        self._given = {"strategy": strategy, **settings}
        self._asked: Array | None = None
        with speaking_python():
            check_names(settings, strategy)
            assembly = assemble_function(_config(self._given), _nobody_s, weights)
        if not isinstance(assembly.strategy, PopulationStrategy):
            raise SettingError(f"{strategy}: expected a strategy that evaluates candidates, such as cma-es or snes")
        self._strategy: PopulationStrategy[Any, Any] = assembly.strategy
        self._rounds = assembly.limits().rounds
        self._stop = assembly.config.stop
        self._evaluations = 0
        self._state: State = assembly.plan.first

    def ask(self) -> Array:
        """The candidates of the round, (population, n) float32, a copy; the same ones until their losses are told."""
        if self._asked is None:
            with one_thread():
                candidates = self._strategy.ask(self._state, 0, self._strategy.units(self._state))
                self._asked = candidates.dense()
        return self._asked.copy()

    def tell(self, losses: Sequence[float] | NDArray[Any]) -> None:
        """Take the losses of the candidates asked for, (population,), in their order; the next round begins.

        An infinite, NaN or masked loss means that the candidate failed. Raises DataError if there are more or fewer
        than candidates, or none were asked for, and ObjectiveError if no loss is finite: the round is then left as it
        was.
        """
        if self._asked is None:
            raise DataError("expected ask() before tell(): the losses belong to the candidates that it returns")
        told = _numbers(losses, len(self._asked))
        state, strategy = self._state, self._strategy
        with speaking_python(), one_thread():
            self._state = strategy.tell(state, [Answer(told)], partial(strategy.weighted_noise, state))
        self._evaluations += len(told)
        self._asked = None

    @property
    def best(self) -> Array:
        """The weights of the lowest loss told so far, (n,), a copy; at first, the start."""
        return self._state.best.weights.copy()

    @property
    def best_loss(self) -> float:
        """The lowest loss told so far; infinite before the first."""
        return self._state.best.loss

    @property
    def center(self) -> Array:
        """The weights that the round's candidates lie around, (n,), a copy."""
        return self._state.center.copy()

    @property
    def rounds(self) -> int:
        """The number of rounds told."""
        return self._state.round

    @property
    def evaluations(self) -> int:
        """The number of losses told."""
        return self._evaluations

    @property
    def done(self) -> bool:
        """Whether a limit is reached; you may continue nevertheless."""
        stop = self._stop
        if stop.target_loss is not None and self.best_loss <= stop.target_loss:
            return True
        if stop.evaluations is not None and self.evaluations >= stop.evaluations:
            return True
        return self._rounds is not None and self.rounds >= self._rounds

    def __repr__(self) -> str:
        """How far it is, in a line."""
        name, weights, rounds = self._given["strategy"], self._state.center.size, self.rounds
        found = f"best loss {self.best_loss:.6g}" if rounds else "nothing told yet"
        return f"<distsearch.Optimizer {name}, {weights:,} weights, {rounds_text(rounds)}, {found}>"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save the optimizer to a file, whole or not at all; `load` continues from there to the same weights.

        Raises UserError if it cannot be written.
        """
        tensors, scalars = checkpoints.flatten(self._state)
        given = {name: _plain(value) for name, value in self._given.items()}
        write(
            path_of(path, "a file to save to"),
            checkpoints.encode(tensors, {"settings": given, "state": scalars, "evaluations": self._evaluations}),
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Optimizer":
        """The saved optimizer, before the `ask` of its round. RunError if the file is damaged or of another kind."""
        place = path_of(path, "a file that Optimizer.save wrote")
        if not place.is_file():
            raise RunError(f"expected a file that Optimizer.save wrote, but there is none at {place}")
        tensors, scalars = checkpoints.read(place)
        try:
            given, state, start = dict(scalars["settings"]), scalars["state"], tensors["center"]
            evaluations = int(scalars["evaluations"])
        except (KeyError, TypeError, ValueError):
            raise RunError(f"{place} was not written by Optimizer.save") from None
        made = cls(given.pop("strategy"), start, **given)
        made._state = checkpoints.unflatten(type(made._state), tensors, state)
        made._evaluations = evaluations
        return made


def _config(settings: Mapping[str, Any]) -> RunConfig:
    refuse_of_networks(settings)
    idle = {setting.keyword for section, setting in options() if section != "strategy"} - set(TAKEN)
    refuse(settings, idle, "whoever asks evaluates the candidates, without workers, a clock or a run")
    return from_flags({"data": IN_MEMORY, "workers": 0, **settings})


def _numbers(losses: Any, count: int) -> NDArray[np.float64]:
    """The losses of that many candidates, (candidates,), copied. DataError if they are something else."""
    try:
        given = [of_tensor(loss) for loss in losses] if isinstance(losses, list | tuple) else of_tensor(losses)
        told: NDArray[Any] = np.asarray(unmasked(given))
        if told.ndim == 0 and losses is not None:
            raise TypeError("no sequence")
        if told.shape == (count,):
            return np.array([number_of(loss) for loss in told.tolist()], np.float64)
    except (TypeError, ValueError, ObjectiveError):
        raise DataError(f"expected a number for each candidate, got {brief(losses)}") from None
    raise DataError(f"expected losses of shape ({count},), one per candidate, got {told.shape}")


def _plain(value: Any) -> Any:
    """A setting as it is written to a file: NumPy's numbers as Python's."""
    return value.item() if isinstance(value, np.generic) else value


def _nobody_s(weights: Array) -> float:
    raise AssertionError("nobody evaluates candidates here but the caller")
