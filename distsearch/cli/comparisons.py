"""The commands that list and compare strategies. Heavy imports are inside, as in app."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from distsearch import config, toml_files
from distsearch.cli.options import FILE, ConfigOption, JsonOption
from distsearch.cli.output import INTERRUPTED_EXIT_CODE, check_output, new_console, print_json, print_parts, say, write

if TYPE_CHECKING:
    from distsearch.search.assembly import Assembly
    from distsearch.search.comparison import Contestant
    from distsearch.search.observers import Observer


def list_strategies(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Strategies to describe with their settings; all if none given.", metavar="NAME"),
    ] = None,
    settings: Annotated[bool, typer.Option("--settings", help="Print their settings as well.")] = False,
    json: JsonOption = False,
) -> None:
    """List the strategies: what each does, when to use it, its settings."""
    from distsearch import strategies
    from distsearch.cli.tables import settings_table, strategies_table, strategy_document

    chosen = [strategies.find(name) for name in names] if names else [each for _, each in strategies.STRATEGIES.items()]
    if json:
        print_json([strategy_document(strategy) for strategy in chosen])
        return
    print_parts(strategies_table(chosen))
    if settings or names:
        for strategy in chosen:
            print_parts("", f"settings of {strategy.name}", settings_table(strategy))


def compare(
    *,
    strategies: Annotated[str, typer.Option(help="Strategies to compare, separated by commas.", metavar="A,B,C")],
    seeds: Annotated[int, typer.Option(min=1, help="Searches per strategy, with consecutive seeds from --seed.")] = 5,
    output: Annotated[Path | None, typer.Option("--output", help="CSV file to write the table to.", **FILE)] = None,
    config_file: ConfigOption = None,
    json: JsonOption = False,
    flags: dict[str, Any],
) -> None:
    """Compare strategies on the same problem, with the same start and budget; runs are kept only with --runs or --name.

    Without --rounds, --seconds or --patience, each search takes at most 10 seconds.
    """
    from distsearch.cli.tables import comparison_table
    from distsearch.search import assembly, comparison

    if output is not None:
        check_output(output)
    given = config.from_flags(flags, toml_files.read_toml(config_file) if config_file else None)
    dataset = assembly.read_data(given)
    names = comparison.chosen(given, filter(None, strategies.split(",")), dataset)
    configs = comparison.planned(given, names, seeds)
    keep = "runs" in flags or "name" in flags
    searches = list(_report_each(comparison.run(configs, dataset, _watching, keep), len(configs)))
    lines = comparison.summary(searches, given)
    if json:
        print_json({"strategies": lines, "searches": searches})
    else:
        print_parts(comparison_table(lines))
    if output is not None:
        write(output, comparison.as_csv(lines).encode())
    if len(searches) < len(configs) or searches[-1].interrupted:
        raise typer.Exit(INTERRUPTED_EXIT_CODE)


def _report_each(searches: "Iterator[Contestant]", count: int) -> "Iterator[Contestant]":
    """The searches, each reported as it ends."""
    from distsearch.cli.tables import search_line

    for number, search in enumerate(searches, start=1):
        say(f"{number} of {count}: {search_line(search)}")
        yield search


@contextmanager
def _watching(assembly: "Assembly") -> "Iterator[Observer]":
    """Show a bar on a terminal; elsewhere, nothing but the line when a search has ended."""
    from distsearch.cli.progress import Reporter
    from distsearch.search.observers import Observer

    console = new_console(stderr=True)
    if not console.is_terminal:
        yield Observer()
        return
    with Reporter(console, assembly.config, False, assembly.objective.measure) as reporter:
        yield reporter
