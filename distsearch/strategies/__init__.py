"""The registry of strategies: each built-in one is a file in this folder and a line here."""

from collections.abc import Collection, Iterator, Mapping
from inspect import isabstract
from typing import Any

from distsearch.errors import SettingError, brief
from distsearch.objectives.base import Task
from distsearch.registry import Registry
from distsearch.settings import AUTO, OWN_SECTION, Settings, declarations, unknown_setting, validate
from distsearch.strategies.annealing import Annealing
from distsearch.strategies.base import AnyStrategy, Strategy
from distsearch.strategies.cma_es import CmaEs
from distsearch.strategies.evolution_strategy import EvolutionStrategy
from distsearch.strategies.hill_climb import HillClimb
from distsearch.strategies.node_perturbation import NodePerturbation
from distsearch.strategies.random_search import RandomSearch
from distsearch.strategies.snes import Snes


def _is_strategy(found: Any) -> bool:
    return isinstance(found, type) and issubclass(found, Strategy) and not isabstract(found)


_OURS: tuple[type[AnyStrategy], ...] = (
    HillClimb,
    RandomSearch,
    Annealing,
    Snes,
    CmaEs,
    EvolutionStrategy,
    NodePerturbation,
)
STRATEGIES: Registry[type[AnyStrategy]] = Registry(
    "strategy",
    "strategies",
    {strategy.name: strategy for strategy in _OURS},
    _is_strategy,
    "a subclass of distsearch.strategies.base.Strategy",
    {
        **dict.fromkeys(("hc", "hill-climbing"), HillClimb.name),
        "random": RandomSearch.name,
        **dict.fromkeys(("sa", "simulated-annealing"), Annealing.name),
        "cma": CmaEs.name,
        **dict.fromkeys(("es", "open-es", "openai-es", "evolution-strategies"), EvolutionStrategy.name),
        "np": NodePerturbation.name,
    },
    dict.fromkeys(
        ("adam", "adamw", "sgd", "rmsprop", "lbfgs", "backprop"),
        f"it needs gradients; {NodePerturbation.name} and {EvolutionStrategy.name} estimate them, and follow them with "
        "Adam",
    ),
    [AUTO],
)

RARE = 0.05  # share of a class below which moving nodes under a flat loss finds the other classes alone
FEW, SOME = 300, 5000  # weights up to which a full covariance is affordable, and a step size for each pays off


def choose(task: Task, wanted: Collection[str] = ()) -> tuple[str, str]:
    """The strategy that works best for such a task among those with the wanted settings, and why in a few words.

    Raises SettingError if there is none.
    """
    ranked = list(_ranked(task))
    best, why = ranked[0]
    lacking = sorted(set(wanted) - _own_settings(best))
    if not lacking:
        return best, why
    for name in (*(name for name, _ in ranked), *STRATEGIES.names()):
        if _own_settings(name).issuperset(wanted):
            return name, f"{best}, which suits best, has no setting {lacking[0]}"
    other = next((each for each in wanted if each not in lacking), lacking[-1])
    having = ", ".join(owners().get(lacking[0], ())) or "no strategy"
    raise SettingError(
        f"{OWN_SECTION}.{lacking[0]}: a setting of {having}, but of none that also has {other}; leave one of them out"
    )


def _own_settings(name: str) -> set[str]:
    return {setting.name for setting in declarations(find(name).Settings)}


def _ranked(task: Task) -> Iterator[tuple[str, str]]:
    """Strategies that work for such a task, better ones first, and why in a few words; one may come twice."""
    count, traits = f"{task.weights_count:,} weights", task.traits
    if task.nodes and traits.flat and task.rarest < RARE:
        yield HillClimb.name, f"a piecewise constant loss, and a class with {task.rarest:.1%} of the examples"
    of_nodes = NodePerturbation.name, f"a network of {count}, whose nodes can be perturbed in every example"
    if task.nodes and traits.by_example and not (traits.flat and task.weights_count <= FEW):
        yield of_nodes
    if traits.flat:
        yield HillClimb.name, f"a piecewise constant loss, and {count}"
    if task.nodes and traits.by_example:
        yield of_nodes
    what = "one loss for all examples, and a network" if task.nodes else "a function"
    if task.weights_count <= FEW:
        yield CmaEs.name, f"{what} of {count}: few enough to learn how they depend on each other"
    if task.weights_count <= SOME:
        yield Snes.name, f"{what} of {count}: few enough for a step size each"
    yield EvolutionStrategy.name, f"{what} of {count}"


def name_of(given: Any) -> str:
    """Our name for a strategy that is given by a name, or as a class. Raises SettingError for anything else."""
    if not isinstance(given, str | type):
        raise SettingError(f"strategy: expected the name of one, or a class of your own, got {brief(given)}")
    return STRATEGIES.named(given) if isinstance(given, str) else STRATEGIES.name_of(given)


def find(name: str) -> type[AnyStrategy]:
    """The strategy with this name. Raises SettingError if there is none."""
    if name == AUTO:
        raise SettingError(f"{AUTO} is not a strategy but chooses one: expected one of {', '.join(STRATEGIES.names())}")
    return STRATEGIES.find(name)


def settings_of(name: str, values: Mapping[str, Any]) -> Settings:
    """The checked settings of the strategy with this name; those to be chosen for the task are still open."""
    own = find(name).Settings

    def stranger(setting: str) -> SettingError:
        return unknown_setting(setting, own.__struct_fields__, name, name, owners())

    return validate(own, values, OWN_SECTION, stranger)


def owners() -> dict[str, list[str]]:
    """The strategies that have a setting of their own, for each by its name."""
    having: dict[str, list[str]] = {}
    for name, kind in STRATEGIES.items():
        for setting in declarations(kind.Settings):
            having.setdefault(setting.name, []).append(name)
    return having


def create(name: str, settings: Mapping[str, Any], task: Task) -> AnyStrategy:
    """Create the strategy with this name and settings. Raises SettingError naming what does not fit it or the task."""
    return find(name)(settings_of(name, settings), task)
