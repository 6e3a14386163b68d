"""The commands. Each is a few lines of wiring; heavy imports are inside them, so that --help is instant."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from distsearch import __version__, config, toml_files
from distsearch.cli import cluster
from distsearch.cli.comparisons import compare, list_strategies
from distsearch.cli.lookup import storage_of
from distsearch.cli.lookup import stored as stored_run
from distsearch.cli.models import evaluate, export, predict
from distsearch.cli.options import (
    RUNS_VARIABLE,
    ConfigOption,
    RunArgument,
    RunsOption,
    strategy_in,
    with_options,
)
from distsearch.cli.output import (
    INTERRUPTED_EXIT_CODE,
    new_console,
    print_json,
    print_text,
    say,
)
from distsearch.cli.records import list_runs, replay, show, verify

if TYPE_CHECKING:
    from collections.abc import Callable

    from distsearch.search.assembly import Assembly
    from distsearch.search.loop import Found

VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Print a line for each improvement.")]
ResultOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON, alone on stdout.")]


def application(arguments: Sequence[str]) -> typer.Typer:
    """The command line for these arguments; the strategies' options are only read for commands that need them."""
    app = typer.Typer(
        help="Train neural networks without gradients, on every core and every machine you have.",
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["--help", "-h"]},
    )
    strategies = list(arguments[:1]) in (["run"], ["config"], ["compare"], ["submit"])
    own = strategy_in(arguments) if strategies else ""
    app.callback()(_root)
    app.command("run")(with_options(run, strategies, own))
    app.command("resume")(resume)
    app.command("publish")(publish)
    app.command("verify")(verify)
    app.command("replay")(replay)
    app.command("show")(show)
    app.command("list")(list_runs)
    app.command("evaluate")(evaluate)
    app.command("predict")(predict)
    app.command("export")(export)
    app.command("compare")(with_options(compare, strategies, own, without=("strategy",)))
    app.command("strategies")(list_strategies)
    app.command("config")(with_options(print_config, strategies, own))
    app.command("submit", context_settings={"allow_interspersed_args": False})(cluster.submit)
    app.command("jobs")(cluster.list_jobs)
    app.command("logs")(cluster.logs)
    app.command("stop")(cluster.stop)
    app.command("fetch")(cluster.fetch)
    app.command("pack", hidden=True)(cluster.pack)
    return app


def _print_version(asked: bool) -> None:
    if asked:
        print_text(f"distsearch {__version__}\n")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    pass


def run(
    *,
    config_file: ConfigOption = None,
    verbose: VerboseOption = False,
    json: ResultOption = False,
    flags: dict[str, Any],
) -> None:
    """Search for a network's weights; without options, for the built-in example."""
    from functools import partial

    from distsearch.search import session
    from distsearch.search.assembly import assemble

    assembly = assemble(_settings(config_file, flags))
    _search(assembly, partial(session.run, assembly), verbose, json)


def resume(
    run: RunArgument,
    rounds: Annotated[
        int | None, typer.Option(min=1, help="Additional rounds; if not given, the run's own limits apply.")
    ] = None,
    seconds: Annotated[float | None, typer.Option(min=0, help="Additional seconds.")] = None,
    workers: Annotated[int | None, typer.Option(min=0, help="Ray workers; as before if not given.")] = None,
    storage: Annotated[
        str | None, typer.Option(help="Folder or URI to publish to; as before if not given, nowhere if empty.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Continue even if another version or processor made the run.")
    ] = False,
    verbose: VerboseOption = False,
    json: ResultOption = False,
    runs: RunsOption = "runs",
) -> None:
    """Continue a run that was stopped or killed, or that reached its limit."""
    from distsearch.search.resumption import prepare_to_resume

    stored = stored_run(run, runs)
    if storage is None:
        storage = storage_of(run)
    resumption = prepare_to_resume(stored, rounds, seconds, workers, force, storage)
    _search(resumption.assembly, resumption.run, verbose, json)


def _search(assembly: "Assembly", search: "Callable[..., Found]", verbose: bool, json: bool) -> None:
    """Run an assembled search, showing its progress and its result."""
    from distsearch.cli.progress import Reporter
    from distsearch.cli.tables import result_table, settings_line
    from distsearch.search.interrupts import Interrupts
    from distsearch.search.limits import INTERRUPTED

    settings, measure = assembly.config, assembly.objective.measure
    console = new_console(stderr=True)
    console.print(settings_line(settings), f"({assembly.task.weights_count:,} weights)", soft_wrap=True)
    with Interrupts() as interrupts, Reporter(console, settings, verbose, measure) as reporter:
        result, _, path = search([reporter], interrupts)
    console.print(result_table(result))
    places = [str(path), *filter(None, [settings.output.storage])]
    console.print(f"kept in {' and in '.join(places)}", soft_wrap=True)
    if json:
        print_json(result)
    if result.reason == INTERRUPTED:
        raise typer.Exit(INTERRUPTED_EXIT_CODE)


def publish(
    run: RunArgument,
    storage: Annotated[str | None, typer.Option(help="Folder or URI; the run's own if not given.")] = None,
    runs: RunsOption = "runs",
) -> None:
    """Publish a run, as it is now, to shared storage."""
    from distsearch.search import resumption

    say(f"published {run} in {resumption.publish(stored_run(run, runs), storage)}")


def print_config(*, config_file: ConfigOption = None, flags: dict[str, Any]) -> None:
    """Print every setting as commented TOML, for `run --config`."""
    from distsearch import strategies

    settings = _settings(config_file, flags)
    name = settings.strategy.name
    own = None if name == strategies.AUTO else strategies.settings_of(name, settings.settings)
    print_text(toml_files.to_toml(settings, own))


def _settings(file: Path | None, flags: dict[str, Any]) -> config.RunConfig:
    if os.environ.get(RUNS_VARIABLE):
        flags = {"runs": os.environ[RUNS_VARIABLE], **flags}
    return config.from_flags(flags, toml_files.read_toml(file) if file else None)
