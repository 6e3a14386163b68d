"""What a shell offers when Tab is pressed: runs, strategies, losses, columns of the data file, pages of the guide."""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import typer

RUNS_VARIABLE = "DISTSEARCH_RUNS"
"""The environment variable with the folder for runs if --runs is not given."""

REGISTRIES = {
    "strategy": ("distsearch.strategies", "STRATEGIES"),
    "loss": ("distsearch.objectives.losses", "LOSSES"),
    "activation": ("distsearch.networks.activations", "ACTIVATIONS"),
    "start": ("distsearch.networks.initial", "STARTS"),
    "precision": ("distsearch.networks.precision", "PRECISIONS"),
    "reader": ("distsearch.data.readers", "READERS"),
    "metrics": ("distsearch.objectives.metrics", "METRICS"),
}
"""The registry that has the names of an option's values."""

COLUMNS = {"target", "features", "drop", "id", "group", "time", "weight-column"}
"""Options whose value names columns of the data file."""

ZSH_FILE = ".zfunc/_distsearch"  # in the home folder
AT_ONCE = """
[[ ${funcstack[1]} = _distsearch ]] && _distsearch_completion "$@"
"""

Completer = Callable[[typer.Context, str], Iterable[str]]


def run_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """The runs whose names begin so."""
    from distsearch.runs.layout import run_paths

    folder = ctx.params.get("runs") or os.environ.get(RUNS_VARIABLE) or "runs"
    with suppress(OSError):
        return [path.name for path in run_paths(Path(folder).expanduser()) if path.name.startswith(incomplete)]
    return []


def names_for(flag: str) -> Completer | None:
    """What completes the value of an option; None if nothing does."""
    if flag in COLUMNS:
        return columns
    if flag not in REGISTRIES:
        return None

    def names(ctx: typer.Context, incomplete: str) -> list[str]:
        module, attribute = REGISTRIES[flag]
        return continued(incomplete, getattr(import_module(module), attribute).names())

    return names


def columns(ctx: typer.Context, incomplete: str) -> list[str]:
    """The columns of the table that --data names whose names begin so."""
    from distsearch.data.readers.headers import column_names

    with suppress(Exception):  # whatever is wrong with the file is said when it is read
        return continued(incomplete, column_names(ctx.params.get("data") or ""))
    return []


def begin_at_first_tab() -> None:
    """Let zsh complete from the first Tab on.

    The first Tab runs the file that Typer writes, which only defines the function that all others call.
    """
    with suppress(OSError):
        path = Path.home() / ZSH_FILE
        text = path.read_text("utf-8")
        if AT_ONCE not in text:
            path.write_text(f"{text}\n{AT_ONCE}", "utf-8")


def continued(incomplete: str, names: Iterable[str]) -> list[str]:
    """A list such as a,b whose last name is begun, with each of the names that it may be."""
    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in names if name.startswith(last)]
