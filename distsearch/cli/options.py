"""The options of `run`, generated from the declared settings, the only source of names, types, defaults and help."""

import inspect
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, get_origin

import typer

from distsearch import config
from distsearch.cli.completion import RUNS_VARIABLE, names_for, run_names
from distsearch.config.usual import COURSE, USUAL
from distsearch.errors import brief
from distsearch.settings import Declared, declarations, list_of, shown
from distsearch.text import as_path

ESSENTIAL = {
    "data": "data set, file or folder, such as my.csv",
    "target": "column to learn; the last one",
    "scale": "standardise the features",
    "test-share": "share set aside for testing",
    "batch": "examples per round",
    "layers": "hidden layers, such as 64,32 [100]",
    "activation": "relu, tanh, step, lif, … [relu]",
    "loss": "cross-entropy, mean-squared-error, …",
    "strategy": "hill-climb, node-perturbation, … [auto]",
    "sigma": "step size",
    "population": "candidates per round",
    "seed": "seed of all random numbers [0]",
    "rounds": "number of rounds [1000 if nothing else]",
    "seconds": "time limit",
    "target-loss": "stop at this loss",
    "target-accuracy": "stop at this accuracy, such as 0.95",
    "workers": "Ray workers; 0: none [all cores]",
    "name": "name of the run",
    "runs": "folder that holds the runs [runs]",
    "storage": "folder or URI to publish to as well",
}
"""The twenty settings that `--help` shows, with a few words each; `--help-all` shows all, in full."""

PANELS = {
    "data": "Data",
    "network": "Network",
    "strategy": "Strategy",
    "stop": "Stop at",
    "workers": "Workers",
    "output": "Output",
}

METAVARS = {int: "N", float: "X"}
"""What stands for a number in the help."""

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
RunArgument = Annotated[
    str,
    typer.Argument(
        help="A run's name, the path of its folder, or STORAGE/NAME.", metavar="RUN", autocompletion=run_names
    ),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but warnings and errors.")]
FILE: dict[str, Any] = {"parser": as_path, "metavar": "FILE"}
"""What all options that take a file share."""


def numeric(kind: type[int] | type[float], least: int) -> dict[str, Any]:
    """What all options share that take a number, or a whole one, from the least on."""

    def read(text: str) -> float:
        found = _number(kind, text)
        if isinstance(found, str) or not found >= least:
            what = "a whole number" if kind is int else "a number"
            raise typer.BadParameter(f"expected {what} >= {least}, got {brief(found)}")
        return found

    return {"parser": read, "metavar": METAVARS[kind]}


def _number(kind: type[int] | type[float], text: str) -> float | str:
    """The number that is written, or the text if it is none."""
    try:
        return kind(text)
    except ValueError:
        return text


RunsOption = Annotated[
    str,  # not a Path, as with `submit` it is a path on the cluster
    typer.Option("--runs", help="Folder that holds the runs.", envvar=RUNS_VARIABLE, metavar="FOLDER"),
]
OwnDataOption = Annotated[
    str,
    typer.Option(
        "--data", help="Where the run's own data is now, if it has moved or came from Python.", metavar="FILE"
    ),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="TOML file with settings; options override it.", **FILE),
]


def with_options(
    command: Callable[..., None],
    strategies: bool,
    own_strategy: str = "",
    without: Collection[str] = (),
    every: bool = False,
) -> Callable[..., None]:
    """Wrap a command with an option for every setting except those in `without`.

    The settings given are passed to it as the mapping `flags`. With `strategies`, the options include the strategies'
    own settings, also those of a user's own strategy; reading them imports NumPy. The help shows the essential ones and
    those of the user's own, or every one.
    """
    parameters = [each for each in inspect.signature(command).parameters.values() if each.name != "flags"]
    settings = [
        (setting, panel) for setting, panel in _settings(strategies, own_strategy) if setting.flag not in without
    ]
    own = names_of(own_strategy) if strategies else set()
    options = [_option(setting, panel, every or setting.name in own) for setting, panel in settings]
    options.append(_help_all(len(settings)))
    names = {each.name for each in parameters}

    def wrapped(**values: Any) -> None:
        command(**{name: values[name] for name in names}, flags=given_settings(values))

    signature = inspect.Signature([*parameters, *options])
    wrapped.__signature__ = signature  # type: ignore[attr-defined]  # where Typer finds the options
    wrapped.__annotations__ = {name: each.annotation for name, each in signature.parameters.items()}
    wrapped.__name__, wrapped.__doc__ = command.__name__, command.__doc__
    return wrapped


def with_runs(flags: Mapping[str, Any]) -> dict[str, Any]:
    """The flags, and the folder of runs that the environment names, if none is given."""
    named = os.environ.get(RUNS_VARIABLE)
    return {**({"runs": named} if named else {}), **flags}


def spelt_out(arguments: Sequence[str]) -> list[str]:
    """The arguments with a value after every --scale, which may stand alone for `--scale yes`."""
    found = []
    for word, following in pairwise([*arguments, ""]):
        alone = word == "--scale" and following[:1] in ("", "-")
        found.append("--scale=yes" if alone else "--scale=no" if word == "--no-scale" else word)
    return found


def given_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings given among the values of such a command, keyed by option name."""
    strategy = values.get("strategy") or ""
    settings = {setting.flag.replace("-", "_"): setting for setting, _ in _settings(strategies=True, own=strategy)}
    given = {name: value for name, value in values.items() if name in settings and value not in (None, [])}
    return {name: _value(settings[name], value) for name, value in given.items()}


def _value(setting: Declared, given: Any) -> Any:
    if not _is_list(setting):
        return given
    return [word for text in (given if setting.many else [given]) for word in list_of(setting.type, text)]


def strategy_in(arguments: Sequence[str]) -> str:
    """The strategy named in a command line that is not parsed yet; empty if none."""
    for word, following in pairwise([*arguments, ""]):
        if word == "--strategy":
            return following
        if word.startswith("--strategy="):
            return word.partition("=")[2]
    return ""


def _settings(strategies: bool, own: str = "") -> Iterator[tuple[Declared, str]]:
    """Every setting with its help panel; `own` may name a user's own strategy."""
    for section, setting in config.options():
        yield setting, PANELS[section]
        if setting.flag == "strategy" and strategies:
            for of_strategies in _of_strategies(own):
                yield of_strategies, PANELS["strategy"]


def names_of(own: str) -> set[str]:
    """The names of the settings of a user's own strategy; none for ours."""
    from distsearch.strategies import STRATEGIES

    return {setting.name for setting in declarations(STRATEGIES.find(own).Settings)} if ":" in own else set()


def _of_strategies(own: str) -> Iterator[Declared]:
    """The strategies' settings, merged by name, listing the defaults per strategy.

    A setting that the strategy chooses itself if not set (None) is listed as chosen.
    """
    from distsearch.strategies import STRATEGIES

    by_name: dict[str, dict[str, Declared]] = {}
    found = [*STRATEGIES.items(), *([(own, STRATEGIES.find(own))] if ":" in own else [])]
    for name, strategy in found:
        for setting in declarations(strategy.Settings):
            by_name.setdefault(setting.name, {})[name] = setting
    for having in by_name.values():
        first = next(iter(having.values()))
        yield Declared(first.name, first.type, _defaults(having), first.text, first.unit, first.flag)


def _defaults(having: dict[str, Declared]) -> str:
    """The strategies that have a setting, grouped by its default."""
    by_default: dict[str, list[str]] = {}
    for name, setting in having.items():
        by_default.setdefault("chosen" if setting.default is None else shown(setting.default), []).append(name)
    return "; ".join(f"{', '.join(names)}: {default}" for default, names in by_default.items())


def _help_all(count: int) -> inspect.Parameter:
    """The option that prints the help with all options; the application is then made to show them."""

    def show(ctx: typer.Context, asked: bool) -> None:
        if asked:
            typer.echo(ctx.get_help())
            raise typer.Exit

    option = typer.Option(
        "--help-all",
        help=f"Show all {count} settings in full, and exit.",
        is_eager=True,
        callback=show,
        expose_value=False,
    )
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter("help_all", kind, default=False, annotation=Annotated[bool, option])


def _default(setting: Declared) -> str:
    if setting.flag not in USUAL:
        return shown(setting.default)
    return f"{shown(setting.default)} for {' and '.join(COURSE)}, {shown(USUAL[setting.flag])} for other data"


def _option(setting: Declared, panel: str, every: bool) -> inspect.Parameter:
    notes = [setting.unit] if setting.unit else []
    if setting.default not in (None, "", ()):
        notes.append(f"default: {_default(setting)}")
    flags = f"--{setting.flag}/--no-{setting.flag}" if setting.type is bool else f"--{setting.flag}"
    brief = ESSENTIAL.get(setting.flag, "")
    option = typer.Option(
        flags,
        help=setting.text + (f" [{'; '.join(notes)}]" if notes else "") if every else brief,
        metavar=_metavar(setting),
        show_default=False,
        rich_help_panel=panel,
        autocompletion=names_for(setting.flag),
        hidden=not (every or brief),
    )
    if setting.type in METAVARS:
        option.parser = partial(_number, setting.type)  # what is no number is refused with the other settings
    kind = list[str] if setting.many else str if _is_list(setting) else setting.type
    name = setting.flag.replace("-", "_")
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )


def _metavar(setting: Declared) -> str | None:
    """What stands for the value in the help."""
    if setting.type is bool:
        return None
    return "A,B" if _is_list(setting) else METAVARS.get(setting.type, "TEXT")


def _is_list(setting: Declared) -> bool:
    return get_origin(setting.type) is tuple
