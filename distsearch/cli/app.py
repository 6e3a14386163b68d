"""The commands. Each is a few lines of wiring; what is heavy is imported inside them, so that --help is instant."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from distsearch import __version__, config
from distsearch.cli import cluster
from distsearch.cli.comparisons import compare, list_strategies
from distsearch.cli.options import (
    FILE,
    RUNS_VARIABLE,
    ConfigOption,
    JsonOption,
    RunArgument,
    RunsOption,
    with_options,
)
from distsearch.cli.output import (
    INTERRUPTED_EXIT_CODE,
    check_output,
    new_console,
    print_json,
    print_parts,
    print_text,
    say,
    write,
)
from distsearch.errors import RunError, UserError, brief
from distsearch.paths import as_path, expanded

if TYPE_CHECKING:
    from distsearch.objectives.model import Model, Scores
    from distsearch.runs.directory import StoredRun
    from distsearch.search.resumption import Resumption
    from distsearch.search.session import Session

DIFFERENT_EXIT_CODE = 1

VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Print a line for each improvement.")]
ResultOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON, alone on stdout.")]


def application(arguments: Sequence[str]) -> typer.Typer:
    """The command line for these first arguments: the strategies' options are only read where they are needed."""
    app = typer.Typer(
        help="Train neural networks without gradients, on every core and every machine you have.",
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["--help", "-h"]},
    )
    strategies = arguments[:1] in (["run"], ["config"], ["compare"], ["submit"])
    app.callback()(_root)
    app.command("run")(with_options(run, strategies))
    app.command("resume")(resume)
    app.command("publish")(publish)
    app.command("verify")(verify)
    app.command("replay")(replay)
    app.command("show")(show)
    app.command("list")(list_runs)
    app.command("evaluate")(evaluate)
    app.command("predict")(predict)
    app.command("compare")(with_options(compare, strategies, without=("strategy",)))
    app.command("strategies")(list_strategies)
    app.command("config")(with_options(print_config, strategies))
    app.command("submit", context_settings={"allow_interspersed_args": False})(cluster.submit)
    app.command("jobs")(cluster.list_jobs)
    app.command("logs")(cluster.logs)
    app.command("stop")(cluster.stop)
    app.command("fetch")(cluster.fetch)
    app.command("export", hidden=True)(cluster.export)
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
    """Search for a network's weights; without options, the course's example."""
    from distsearch.search import session

    settings = _settings(config_file, flags)
    _search(session.prepare(settings), settings, verbose, json)


def resume(
    run: RunArgument,
    rounds: Annotated[
        int | None, typer.Option(min=1, help="More rounds than are done; its own limit if not given.")
    ] = None,
    seconds: Annotated[float | None, typer.Option(min=0, help="More seconds than were spent.")] = None,
    workers: Annotated[int | None, typer.Option(min=0, help="Ray workers; as before if not given.")] = None,
    storage: Annotated[
        str | None, typer.Option(help="Folder or URI to publish to; as before if not given, nowhere if empty.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Go on although another version or processor made the run.")
    ] = False,
    verbose: VerboseOption = False,
    json: ResultOption = False,
    runs: RunsOption = "runs",
) -> None:
    """Go on with a run that was stopped or killed, or that has reached its limit."""
    from distsearch.search.resumption import prepare_to_resume

    stored = _stored(run, runs)
    if storage is None:
        storage = _storage_of(run)
    search = prepare_to_resume(stored, rounds, seconds, workers, force, say, storage)
    _search(search, search.session.config, verbose, json)


def _search(search: "Session | Resumption", settings: config.RunConfig, verbose: bool, json: bool) -> None:
    """Run a search that is ready, and tell how it goes and how it ended."""
    from distsearch.cli.progress import Reporter
    from distsearch.cli.tables import result_table, settings_line
    from distsearch.search.interrupts import Interrupts
    from distsearch.search.limits import INTERRUPTED

    objective = search.objective
    console = new_console(stderr=True)
    weights = f"({objective.space.weights_count:,} weights)"
    console.print(settings_line(settings), weights, soft_wrap=True)
    with Interrupts() as interrupts, Reporter(console, settings, verbose, objective.measure) as reporter:
        directory, result = search.run(reporter, reporter.say, interrupts)
    console.print(result_table(result))
    places = [str(directory.path), *filter(None, [settings.output.storage])]
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
    """Publish a run to shared storage as it is now."""
    from distsearch.search.resumption import published

    say(f"{run} is published in {published(_stored(run, runs), storage, say)}")


def verify(
    run: RunArgument,
    rounds: Annotated[
        str, typer.Option(help="Rounds whose candidates are tried again: a number, drawn at random, or all.")
    ] = "16",
    workers: Annotated[int, typer.Option(min=0, help="Ray workers; 0: in this process.")] = 0,
    json: JsonOption = False,
    runs: RunsOption = "runs",
) -> None:
    """Check that a run comes out again, bit for bit: its decisions all, its losses in a sample of its rounds."""
    from distsearch.cli.progress import steps_shown
    from distsearch.cli.tables import verdict_lines
    from distsearch.search import resumption, verification

    if rounds != "all" and not rounds.isdecimal():
        raise UserError(f"--rounds: expected a number or all, got {brief(rounds)}")
    stored = _stored(run, runs)
    if other := resumption.other_machine(stored):
        say(other)
    recorded = sum(1 for _ in stored.history())
    digits = rounds.lstrip("0") or "0"  # Python reads no number of 5,000 digits
    every = rounds == "all" or len(digits) > len(str(recorded))
    chosen = range(recorded) if every else verification.sample(recorded, int(digits))
    with steps_shown(new_console(stderr=True), "verifying", recorded) as watch:
        verdict = verification.verify(
            verification.Replay(stored), resumption.own_session(stored, workers), chosen, watch, say
        )
    if json:
        print_json(verdict)
    else:
        print_parts(*verdict_lines(verdict))
    if verdict.differences:
        raise typer.Exit(DIFFERENT_EXIT_CODE)


def replay(
    run: RunArgument,
    to: Annotated[Path, typer.Option("--to", help="File to write the best weights to.", **FILE)],
    runs: RunsOption = "runs",
) -> None:
    """Make a run's best weights again, from its seed and its history alone, as a safetensors file."""
    from distsearch.search.verification import replayed

    check_output(to)
    write(to, replayed(_stored(run, runs), say))
    say(f"the best weights of {run}, made again from its seed and history, are in {to}")


def show(run: RunArgument, runs: RunsOption = "runs", json: JsonOption = False) -> None:
    """Show what happened in a run."""
    from distsearch.cli.tables import history_table, result_table, settings_line

    stored = _stored(run, runs)
    history = list(stored.history())
    if json:
        print_json(
            {
                "run": stored.path.name,
                "config": stored.config,
                "manifest": stored.manifest,
                "result": stored.result,
                "history": history,
            }
        )
        return
    result = stored.result
    print_parts(settings_line(stored.config), history_table(history), "")
    print_parts(result_table(result) if result else "The search has not ended: it is running, or it was killed.")


def list_runs(runs: RunsOption = "runs", json: JsonOption = False) -> None:
    """List the runs, the oldest first."""
    from distsearch.cli.tables import runs_table
    from distsearch.runs.directory import run_paths

    paths = run_paths(as_path(runs))
    if json:
        print_json([{"run": path.name, "path": str(path)} for path in paths])
    elif paths:
        print_parts(runs_table(paths))
    else:
        say(f"no runs in {runs}: `distsearch run` makes one")


def evaluate(
    run: RunArgument,
    data: Annotated[str, typer.Option(help="Labelled data file; the run's own data if not given.")] = "",
    target: Annotated[str, typer.Option(help="Target column, if it is named otherwise than in training.")] = "",
    runs: RunsOption = "runs",
    json: JsonOption = False,
) -> None:
    """Measure a run's best weights."""
    from distsearch.cli.tables import scores_table
    from distsearch.data.datasets import read_examples
    from distsearch.search.resumption import stored_model

    stored = _stored(run, runs)
    model = stored_model(stored)
    data = expanded(data)
    scores = {data: model.scores(read_examples(data, model.schema, target))} if data else _own(stored, model)
    if json:
        print_json({name: each._asdict() for name, each in scores.items()})
    else:
        print_parts(scores_table(scores))


def predict(
    run: RunArgument,
    file: Annotated[str, typer.Argument(help="CSV, Parquet, NPZ or IDX file with the features.", metavar="FILE")],
    output: Annotated[Path | None, typer.Option(help="CSV file to write; stdout if not given.", **FILE)] = None,
    runs: RunsOption = "runs",
) -> None:
    """Predict with a run's best weights: a CSV line for each line of the file."""
    from distsearch.data.datasets import read_features
    from distsearch.reports.predictions import as_csv
    from distsearch.search.resumption import stored_model

    if output is not None:
        check_output(output)
    model = stored_model(_stored(run, runs))
    text = as_csv(model, read_features(expanded(file), model.schema))
    if output is None:
        print_text(text)
    else:
        write(output, text.encode())


def print_config(*, config_file: ConfigOption = None, flags: dict[str, Any]) -> None:
    """Print every setting as commented TOML, for `run --config`."""
    from distsearch import strategies

    settings = _settings(config_file, flags)
    name = settings.strategy.name
    own = None if name == strategies.AUTO else strategies.settings_of(name, settings.settings)
    print_text(config.to_toml(settings, own))


def _settings(file: Path | None, flags: dict[str, Any]) -> config.RunConfig:
    if os.environ.get(RUNS_VARIABLE):
        flags = {"runs": os.environ[RUNS_VARIABLE], **flags}
    return config.from_flags(flags, config.read_toml(file) if file else None)


def _stored(run: str, runs: str) -> "StoredRun":
    """The run of that name in the folder `runs`, or at that path; one that lies in storage is brought to `runs`."""
    from distsearch.runs.directory import StoredRun, run_paths
    from distsearch.storage import fetched, is_stored

    folder = as_path(runs)
    if is_stored(run):
        return StoredRun(fetched(run, folder))
    places = [as_path(run), folder / run]
    for place in reversed(places):
        if place.is_dir():
            return StoredRun(place)
    from distsearch.errors import unknown

    names = [path.name for path in run_paths(folder)]
    raise RunError(
        unknown("run", run, names) if names else f"expected a run, got {brief(run)}: there are none in {runs}"
    )


def _storage_of(run: str) -> str | None:
    """The storage that a run is named to lie in; None if it is named otherwise."""
    from distsearch.storage import Address, is_stored

    return str(Address.parse(run).parent) if is_stored(run) else None


def _own(stored: "StoredRun", model: "Model") -> "dict[str, Scores]":
    """The scores on the data that a run was trained on."""
    from distsearch.search.resumption import read_own_data

    dataset = read_own_data(stored)
    scores = {"train": model.scores(dataset.train)}
    return scores | ({"test": model.scores(dataset.test)} if dataset.test else {})
