"""The commands that list and compare strategies. Heavy imports are inside, as in app."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from distsearch import config
from distsearch.cli.ending import INTERRUPTED_EXIT_CODE
from distsearch.cli.options import FILE, ConfigOption, JsonOption, numeric, with_runs
from distsearch.cli.output import (
    check_output,
    check_suffix,
    hush,
    new_console,
    print_json,
    print_parts,
    say,
    write,
)
from distsearch.cli.wording import in_flags
from distsearch.config import toml

if TYPE_CHECKING:
    from distsearch.search.assembly import Assembly
    from distsearch.search.comparison import Contestant, Line
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
    seeds: Annotated[
        int, typer.Option(**numeric(int, 1), help="Searches per strategy, with consecutive seeds from --seed.")
    ] = 5,
    output: Annotated[Path | None, typer.Option("--output", help="CSV file to write the table to.", **FILE)] = None,
    report: Annotated[
        Path | None,
        typer.Option("--report", help="HTML file to write: the table, and the curves of all searches.", **FILE),
    ] = None,
    config_file: ConfigOption = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the table alone, and warnings.")] = False,
    json: JsonOption = False,
    flags: dict[str, Any],
) -> None:
    """Compare strategies on one problem, start and budget; runs are kept only with --runs or --name.

    Without --rounds, --seconds, --evaluations or --patience, each search takes at most 10 seconds.
    """
    from distsearch.cli.tables import comparison_table
    from distsearch.search import comparison
    from distsearch.search.data import read_data

    if output is not None:
        check_output(output)
    if quiet:
        hush()
    if report is not None:
        check_suffix("--report", report, ".html", ".htm")
    given = config.from_flags(with_runs(flags), toml.read_toml(config_file) if config_file else None)
    words = list(filter(None, strategies.split(",")))
    comparison.check(given, words)
    dataset = read_data(given)
    names = comparison.chosen(given, words, dataset)
    configs = comparison.planned(given, names, seeds)
    keep = "runs" in flags or "name" in flags
    with TemporaryDirectory(prefix="distsearch-") as folder:
        if report is not None and not keep:
            configs, keep = comparison.kept_in(folder, configs), True
        begun = map(_with_flags, comparison.run(configs, dataset, _unwatched if quiet else _watching, keep))
        searches = list(begun if quiet else _report_each(begun, len(configs)))
        lines = comparison.summary(searches, given)
        if report is not None:
            _write_report(report, lines, searches, configs[0].output.directory)
            if not quiet:
                say(f"the report is in {report}")
    if json:
        print_json({"strategies": lines, "searches": searches})
    else:
        print_parts(comparison_table(lines))
    if output is not None:
        write(output, comparison.as_csv(lines).encode())
    if len(searches) < len(configs) or searches[-1].interrupted:
        raise typer.Exit(INTERRUPTED_EXIT_CODE)


def _write_report(path: Path, lines: "list[Line]", searches: "list[Contestant]", folder: str) -> None:
    from distsearch.reports.page import comparison
    from distsearch.reports.subjects import Subject
    from distsearch.runs.directory import StoredRun

    results = [search.result for search in searches if search.result is not None]
    subjects = [Subject(StoredRun(Path(folder) / result.run)) for result in results if result.rounds]
    write(path, comparison(lines, subjects).encode())


@contextmanager
def _unwatched(assembly: "Assembly") -> "Iterator[Observer]":
    from distsearch.search.observers import Observer

    yield Observer()


def _with_flags(search: "Contestant") -> "Contestant":
    """The search, whose failure speaks of flags."""
    from msgspec.structs import replace

    return replace(search, failure=in_flags(search.failure, sys.argv[1:]))


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
