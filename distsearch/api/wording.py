"""The library names settings as the command line does; here its sentences are put into the words of Python."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from distsearch.config import SECTIONS, StrategyConfig, options
from distsearch.errors import DistsearchError, SettingError, unknown
from distsearch.settings import declarations

# A flag, and a value after it if that looks like one: a number, a choice, or the name of a strategy or a loss.
_CHOICES = "yes|no|auto|days|parts|drop|impute"
_FLAG = re.compile(rf"--(?P<flag>[a-z]+(?:-[a-z]+)*)(?: (?P<value>\d+|[a-z]+(?:-[a-z]+)+|snes|{_CHOICES})\b)?")
ELSEWHERE = {
    **dict.fromkeys(("max_evaluations", "max_evals", "maxfun", "budget"), "evaluations"),
    **dict.fromkeys(("epochs", "iterations", "max_iter", "maxiter", "generations"), "rounds"),
    **dict.fromkeys(("lr", "learning_rate", "learning_rate_init", "step_size"), "rate"),
    **dict.fromkeys(("timeout", "max_time"), "seconds"),
    **dict.fromkeys(("hidden_layer_sizes", "hidden_layers"), "layers"),
    **dict.fromkeys(("popsize", "population_size"), "population"),
    **dict.fromkeys(("random_state", "random_seed"), "seed"),
    **dict.fromkeys(("n_jobs", "num_workers"), "workers"),
    "batch_size": "batch",
    "weight_decay": "decay",
    "algorithm": "strategy",
    "method": "strategy",
    "ftarget": "target_loss",
    "sigma0": "sigma",
}
"""What other libraries call settings, and what they are called here."""

_QUALIFIED = re.compile(rf"\b(?P<section>{'|'.join(SECTIONS)})\.(?P<name>[a-z_]+)(?=: )")


def in_python(sentence: str) -> str:
    """The sentence with settings as keyword arguments: `scale="yes"` for --scale yes, `sigma` for --sigma."""
    places = {(section, setting.name): setting.flag.replace("-", "_") for section, setting in options()}
    switches = {setting.flag for _, setting in options() if setting.type is bool}

    def argument(found: re.Match[str]) -> str:
        name, value = found["flag"].replace("-", "_"), found["value"]
        if value is not None:
            return f"{name}={value}" if value.isdecimal() else f'{name}="{value}"'
        return f"{name}=True" if found["flag"] in switches else name

    def keyword(found: re.Match[str]) -> str:
        return places.get((found["section"], found["name"]), found["name"])

    return _QUALIFIED.sub(keyword, _FLAG.sub(argument, sentence))


def check_names(names: Iterable[str], strategy: object) -> None:
    """Raise SettingError for a keyword that is no setting of the search or of its strategy, and say whose it is."""
    from distsearch.strategies import AUTO, STRATEGIES

    everywhere = {setting.flag.replace("-", "_") for _, setting in options()}
    owners: dict[str, list[str]] = {}
    for owner, kind in STRATEGIES.items():
        for setting in declarations(kind.Settings):
            owners.setdefault(setting.name, []).append(owner)
    chosen = STRATEGIES.named(str(strategy or StrategyConfig().name))
    if ":" in chosen:  # a strategy of the user's own, which checks its settings itself
        return
    for name in (name.replace("-", "_") for name in names):
        if name not in everywhere and name not in owners:
            if name in ELSEWHERE:
                raise SettingError(f"unknown setting {name!r}: here it is called {ELSEWHERE[name]!r}")
            raise SettingError(unknown("setting", name, everywhere | set(owners)))
        if name not in everywhere and chosen != AUTO and chosen not in owners[name]:
            raise SettingError(
                f"{name}: a setting of {', '.join(owners[name])}, not of {chosen}; leave it out, or choose one of "
                "these as --strategy"
            )


@contextmanager
def speaking_python() -> Iterator[None]:
    """While entered, errors speak of keyword arguments."""
    try:
        yield
    except DistsearchError as error:
        error.args = (in_python(str(error)),)
        raise
