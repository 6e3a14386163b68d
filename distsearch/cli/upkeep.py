"""The commands for many runs: list, diff, remove and rename."""

import sys
from functools import partial
from typing import Annotated

import typer

from distsearch.cli.completion import run_names
from distsearch.cli.lookup import matching, path_of
from distsearch.cli.lookup import stored as stored_run
from distsearch.cli.options import JsonOption, RunArgument, RunsOption
from distsearch.cli.output import print_columns, print_json, print_parts, say
from distsearch.errors import UserError
from distsearch.text import as_path

RunsArgument = Annotated[
    list[str],
    typer.Argument(help="Names of runs, patterns such as climb-*, or paths.", metavar="RUN…", autocompletion=run_names),
]


def list_runs(
    sort: Annotated[
        str,
        typer.Option(
            help="Column or setting to sort by, such as loss, or -loss for descending order; by age if not given.",
            metavar="COLUMN",
        ),
    ] = "",
    filter: Annotated[  # noqa: A002  (the option's name)
        str,
        typer.Option(help="Conditions that runs must meet, such as 'strategy=snes loss<0.1'.", metavar="CONDITIONS"),
    ] = "",
    runs: RunsOption = "runs",
    json: JsonOption = False,
) -> None:
    """List the runs, oldest first."""
    from distsearch.cli import lists
    from distsearch.runs.layout import run_paths
    from distsearch.runs.summaries import summaries

    paths = run_paths(as_path(runs))
    found = lists.those_that_fit(list(summaries(paths)), filter)
    if sort:
        found = lists.in_order(found, sort)
    if json:
        print_json([lists.document(run) for run in found])
    elif found:
        print_columns(partial(lists.runs_lines, found))
        for error in lists.errors(found):
            say(error)
    elif paths:
        say(f"none of the {len(paths):,} runs in {runs} meets --filter {filter!r}")
    else:
        say(f"no runs in {runs}: `distsearch run` makes one")


def diff(first: RunArgument, second: RunArgument, json: JsonOption = False, runs: RunsOption = "runs") -> None:
    """Show in which settings and results two runs differ."""
    from distsearch.cli.tables import differences_table
    from distsearch.search.differences import differences

    pair = stored_run(first, runs), stored_run(second, runs)
    found = differences(*pair)
    if json:
        print_json(found)
        return
    names = [each.path.resolve().name for each in pair]
    print_parts(differences_table(found, names) if any(found.values()) else "no difference, not even in their results")


def remove(
    names: RunsArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    runs: RunsOption = "runs",
) -> None:
    """Remove runs and all their files."""
    from distsearch.runs import upkeep

    chosen = list({path.resolve(): path for path in (path_of(name, runs) for name in matching(names, runs))}.values())
    for path in chosen:
        upkeep.check_removable(path)
    what = f"the run {chosen[0]}" if len(chosen) == 1 else f"{len(chosen)} runs"
    if not yes and not _agreed(what, list(map(str, chosen))):
        say("nothing removed")
        raise typer.Exit(1)
    for path in chosen:
        upkeep.remove(path)
    say(f"removed {what}")


def rename(
    run: RunArgument,
    name: Annotated[str, typer.Argument(help="Its new name.", metavar="NAME")],
    runs: RunsOption = "runs",
) -> None:
    """Give a run another name."""
    from distsearch.runs import upkeep
    from distsearch.runs.directory import StoredRun

    stored = StoredRun(path_of(run, runs))
    storage = stored.config.output.storage
    path = upkeep.rename(stored, name)
    published = f"; what was published in {storage} keeps the old name" if storage else ""
    say(f"{run} is now {path.name}{published}")


def _agreed(what: str, paths: list[str]) -> bool:
    """Whether the user confirms. UserError without a terminal to ask on."""
    if not sys.stdin.isatty():
        raise UserError(
            f"remove: expected --yes, as there is no terminal on which to confirm that {what} may be removed"
        )
    if len(paths) > 1:
        say("\n".join(paths))
    sys.stderr.write(f"remove {what}? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
