"""Several strategies side by side: the same problem, start weights and budget, over several seeds."""

import csv
import io
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from math import inf
from statistics import median
from typing import Any

from msgspec import Struct, structs

from distsearch import strategies
from distsearch.config import RunConfig
from distsearch.config.sections import StrategyConfig
from distsearch.data.datasets import Dataset
from distsearch.errors import DistsearchError, SettingError
from distsearch.machine import memory
from distsearch.objectives import losses
from distsearch.objectives.model import network_for
from distsearch.runs.directory import Result
from distsearch.search import assembly, beforehand, session
from distsearch.search.assembly import Assembly
from distsearch.search.data import loss_for, notes_on, rarest_share, with_loss
from distsearch.search.interrupts import Interrupts
from distsearch.search.limits import INTERRUPTED, TARGET_ACCURACY, TARGET_LOSS
from distsearch.search.naming import in_our_words
from distsearch.search.observers import Observer
from distsearch.settings import AUTO, LARGEST_WHOLE, declarations
from distsearch.workers.place import joins_cluster, keep_ray

DEFAULT_SECONDS = 10.0  # of each search, where nothing else ends it
PLAN_BYTES = 500  # of one search that is planned

LOG = logging.getLogger(__name__)

Watching = Callable[[Assembly], AbstractContextManager[Observer]]
"""Gives the observer of a search that is about to begin."""


class Contestant(Struct, frozen=True):
    """One search: how it ended, or why it could not be made."""

    strategy: str
    seed: int
    result: Result | None = None
    failure: str = ""

    @property
    def interrupted(self) -> bool:
        """Whether it was ended by the user."""
        return self.result is not None and self.result.reason == INTERRUPTED

    @property
    def reached(self) -> bool:
        """Whether it has reached its target."""
        return self.result is not None and self.result.reason in (TARGET_LOSS, TARGET_ACCURACY)


class Spread(Struct, frozen=True):
    """Median and range over the seeds; infinite where a search has not got there."""

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: Iterable[float | None]) -> "Spread | None":
        """The spread of the values, None among them counting as infinite; None if there are none at all."""
        numbers = [inf if value is None else float(value) for value in values]
        return cls(median(numbers), min(numbers), max(numbers)) if numbers else None


class Line(Struct, frozen=True):
    """The results of a strategy over all seeds."""

    strategy: str
    searches: int
    reached: int | None  # searches that have reached the target; None if there is none
    passes: Spread | None  # over all training examples, to the target; in all, if there is none
    seconds: Spread | None  # likewise
    loss: Spread | None
    accuracy: Spread | None
    test_accuracy: Spread | None
    failure: str


def check(settings: RunConfig, names: Iterable[str]) -> None:
    """Raise the UserError for what no data can mend; settings of strategies are left to `planned`."""
    for name in map(strategies.STRATEGIES.named, names):
        if name != AUTO:
            strategies.find(name)
    beforehand.check(structs.replace(settings, settings={}), kept=False)


def chosen(settings: RunConfig, names: Iterable[str], dataset: Dataset) -> list[str]:
    """The strategies of these names, each once, and for `auto` the one that suits the data. SettingError if unknown."""
    found: dict[str, None] = {}
    settings = with_loss(in_our_words(settings), dataset)
    for name in map(strategies.STRATEGIES.named, names):
        if name == AUTO:
            network = network_for(settings.network, dataset.schema)
            loss = loss_for(losses.with_costs(settings.network), dataset)
            task = assembly.network_task(settings, network, len(dataset.train.features), loss)
            name, why = strategies.choose(replace(task, rarest=rarest_share(dataset)))
            LOG.info(f"strategy {name}: {why}")
        strategies.find(name)
        found[name] = None
    return list(found)


def planned(settings: RunConfig, names: Sequence[str], seeds: int) -> list[RunConfig]:
    """A configuration for each search, seed after seed, each of them with all strategies in turn.

    A setting goes to those strategies that have it. SettingError if none of them has it, or if its value fits none.
    """
    if not names:
        raise SettingError(f"expected strategies to compare: some of {', '.join(strategies.STRATEGIES.names())}")
    own = {name: _own(settings.settings, name) for name in names}
    for setting in settings.settings:
        if not any(setting in given for given in own.values()):
            raise SettingError(_unknown(setting, names))
    settings = _ended(settings)
    first = settings.strategy.seed
    if first + seeds > LARGEST_WHOLE:
        raise SettingError(
            f"--seeds: expected seeds below 2**64, got {seeds} from --seed {first} on: give a smaller one"
        )
    memory.require(f"a plan of {seeds:,} seeds", seeds * len(names) * PLAN_BYTES, "give fewer --seeds")
    return [
        structs.replace(
            settings,
            strategy=StrategyConfig(name=name, seed=seed),
            settings=own[name],
            output=structs.replace(settings.output, name=_run_name(settings, name, seed)),
        )
        for seed in range(first, first + seeds)
        for name in names
    ]


def kept_in(folder: str, configs: Sequence[RunConfig]) -> list[RunConfig]:
    """The searches, to be kept in another folder of runs."""
    return [structs.replace(each, output=structs.replace(each.output, directory=folder)) for each in configs]


def run(configs: Sequence[RunConfig], dataset: Dataset, watching: Watching, keep: bool) -> Iterator[Contestant]:
    """Search after search; if they are kept, in the folder of runs that the configurations name.

    One that fails says why. Ends early after one that was interrupted. If the first search of every strategy fails for
    the same reason, that is raised.
    """
    for note in notes_on(configs[0], dataset):
        LOG.warning(note)
    compared = len({each.strategy.name for each in configs})
    failures: list[DistsearchError] = []
    with _workers(configs[0], dataset), Interrupts() as interrupts:
        for number, each in enumerate(configs, start=1):
            try:
                search = _searched(each, dataset, watching, keep, interrupts)
            except DistsearchError as error:
                failures.append(error)
                search = Contestant(each.strategy.name, each.strategy.seed, failure=str(error))
            except KeyboardInterrupt:  # before the search began
                if interrupts.came and number > 1:
                    return
                raise
            yield search
            if interrupts.came:
                return
            if number == len(failures) == compared and len({str(error) for error in failures}) == 1:
                raise failures[0]


def summary(searches: Iterable[Contestant], settings: RunConfig) -> list[Line]:
    """A line for each strategy, from its searches; those that were interrupted do not count."""
    by_strategy: dict[str, list[Contestant]] = {}
    for search in searches:
        if not search.interrupted:
            by_strategy.setdefault(search.strategy, []).append(search)
    return [_line(name, own, has_target(settings)) for name, own in by_strategy.items()]


def has_target(settings: RunConfig) -> bool:
    """Whether the searches have a target loss or accuracy."""
    return settings.stop.target_loss is not None or settings.stop.target_accuracy is not None


def as_csv(lines: Sequence[Line]) -> str:
    """The lines as CSV, three columns for each spread; empty where there is nothing, or no end."""
    text = io.StringIO()
    rows = [_flat(line) for line in lines]
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _searched(
    settings: RunConfig, dataset: Dataset, watching: Watching, keep: bool, interrupts: Interrupts
) -> Contestant:
    prepared = replace(assembly.assemble(settings, dataset), notes=())
    with watching(prepared) as observer:
        run_one = session.run if keep else session.run_unrecorded
        result = run_one(prepared, [observer], interrupts).result
    return Contestant(settings.strategy.name, settings.strategy.seed, result)


def _workers(settings: RunConfig, dataset: Dataset) -> AbstractContextManager[None]:
    """Ray, started once for all searches, if they are to run on it from their beginning."""
    count = settings.workers.count
    if count == 0 or (count is None and not joins_cluster()):
        keep_ray()
        return nullcontext()
    from distsearch.workers.ray.cluster import connected  # takes half a second to import

    parts = [part for part in (dataset.train, dataset.validation, dataset.test) if part is not None]
    return connected(count, sum(array.nbytes for part in parts for array in part.arrays))


def _line(name: str, searches: Sequence[Contestant], target: bool) -> Line:
    results = [search.result for search in searches if search.result is not None]
    failures = [search.failure for search in searches if search.failure]
    there = [_cost(search, target) for search in searches] if results else []
    return Line(
        strategy=name,
        searches=len(searches),
        reached=sum(search.reached for search in searches) if target else None,
        passes=Spread.of(passes for passes, _ in there),
        seconds=Spread.of(seconds for _, seconds in there),
        loss=Spread.of(result.loss for result in results),
        accuracy=Spread.of(result.accuracy for result in results if result.accuracy is not None),
        test_accuracy=Spread.of(result.test_accuracy for result in results if result.test_accuracy is not None),
        failure=_failure_text(failures, len(searches)),
    )


def _cost(search: Contestant, target: bool) -> tuple[float | None, float | None]:
    """The forward passes and seconds to the target, where there is one, or in all; None if it was not reached."""
    if search.result is None or (target and not search.reached):
        return None, None
    return search.result.passes, search.result.seconds


def _failure_text(failures: Sequence[str], searches: int) -> str:
    if not failures or len(failures) == searches:
        return failures[0] if failures else ""
    return f"{len(failures)} of {searches} failed: {failures[0]}"


def _own(given: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Those of the given settings that a strategy has."""
    has = {setting.name for setting in declarations(strategies.find(name).Settings)}
    return {setting: value for setting, value in given.items() if setting in has}


def _unknown(setting: str, names: Sequence[str]) -> str:
    having = [name for name in strategies.STRATEGIES.names() if _own({setting: None}, name)]
    compared = f"none of {', '.join(names)} has the setting {setting!r}"
    if having:
        return f"{compared}: it belongs to {', '.join(having)}"
    known = {each.name: None for name in names for each in declarations(strategies.find(name).Settings)}
    return f"{compared}: they have {', '.join(known)}"


def _ended(settings: RunConfig) -> RunConfig:
    """The configuration with a limit that every search reaches, even if the target is out of reach."""
    stop = settings.stop
    if any(limit is not None for limit in (stop.rounds, stop.seconds, stop.evaluations, stop.patience)):
        return settings
    return structs.replace(settings, stop=structs.replace(stop, seconds=DEFAULT_SECONDS))


def _run_name(settings: RunConfig, strategy: str, seed: int) -> str:
    name = settings.output.name
    return f"{name}-{strategy}-{seed}" if name else ""


def _flat(line: Line) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in structs.asdict(line).items():
        if name in ("strategy", "searches", "reached", "failure"):
            flat[name] = value
        else:
            parts = structs.asdict(value) if value else dict.fromkeys(Spread.__struct_fields__, inf)
            flat |= {f"{name}_{part}": "" if number == inf else number for part, number in parts.items()}
    return flat
