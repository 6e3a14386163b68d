"""The commands. Each is a few lines of wiring; heavy imports are inside them, so that --help is instant."""

import os
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from distsearch import __version__, config
from distsearch.cli import cluster, pictures, screens, upkeep
from distsearch.cli.comparisons import compare, list_strategies
from distsearch.cli.ending import INTERRUPTED_EXIT_CODE
from distsearch.cli.guide import guide
from distsearch.cli.lookup import storage_of
from distsearch.cli.lookup import stored as stored_run
from distsearch.cli.models import evaluate, export, predict
from distsearch.cli.options import (
    ConfigOption,
    OwnDataOption,
    QuietOption,
    RunArgument,
    RunsOption,
    numeric,
    strategy_in,
    with_options,
    with_runs,
)
from distsearch.cli.output import (
    new_console,
    print_json,
    print_text,
    say,
)
from distsearch.cli.records import replay, show, verify
from distsearch.config import toml
from distsearch.errors import UserError
from distsearch.settings import AUTO, declarations
from distsearch.text import expanded, rounds_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from distsearch.cli.progress import Picture
    from distsearch.search.assembly import Assembly
    from distsearch.search.endings import Found
    from distsearch.search.observers import Observer

VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Print a line for each improvement.")]
ChapterOption = Annotated[
    bool, typer.Option("--chapter", help="The chapter's own search: its data and network, one step at a time.")
]
StoryOption = Annotated[bool, typer.Option("--story", help="Say for each step whether it is accepted or reverted.")]
LiveOption = Annotated[bool, typer.Option("--live", help="Draw the boundary, or the loss, while it learns.")]
ResultOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]

COMPLETION_VARIABLE = "_DISTSEARCH_COMPLETE"
"""The environment variable by which a shell asks what may come next."""


def application(arguments: Sequence[str]) -> typer.Typer:
    """The command line for these arguments; the strategies' options are only read for commands that need them."""
    app = typer.Typer(
        cls=screens.Commands,
        help="Train neural networks without gradients, on all your cores and machines.",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["--help", "-h"]},
    )
    completing = COMPLETION_VARIABLE in os.environ
    strategies = completing or list(arguments[:1]) in (["run"], ["config"], ["compare"], ["submit"])
    own = strategy_in(arguments) if strategies else ""
    every = completing or "--help-all" in arguments
    with_settings = partial(with_options, strategies=strategies, own_strategy=own, every=every)
    brief = screens.Command if every else screens.BriefCommand
    app.callback()(_root)

    def add(group: str, name: str, command: "Callable[..., Any]", **options: Any) -> None:
        app.command(name, rich_help_panel=group, **{"cls": screens.Command, **options})(command)

    add("Search", "run", with_settings(run), cls=brief)
    add("Search", "resume", resume)
    add("Search", "compare", with_settings(compare, without=("strategy",)), cls=brief)
    add("Search", "config", with_settings(print_config), cls=brief)
    add("Look", "list", upkeep.list_runs)
    add("Look", "show", show)
    add("Look", "plot", pictures.plot)
    add("Look", "report", pictures.report)
    add("Look", "diff", upkeep.diff)
    add("Use", "evaluate", evaluate)
    add("Use", "predict", predict)
    add("Use", "export", export)
    add("Keep", "verify", verify)
    add("Keep", "replay", replay)
    add("Keep", "publish", publish)
    add("Keep", "rename", upkeep.rename)
    add("Keep", "remove", upkeep.remove)
    add("Cluster", "submit", cluster.submit, context_settings={"allow_interspersed_args": False})
    add("Cluster", "jobs", cluster.list_jobs)
    add("Cluster", "logs", cluster.logs)
    add("Cluster", "stop", cluster.stop)
    add("Cluster", "fetch", cluster.fetch)
    add("Cluster", "pack", cluster.pack, hidden=True)
    add("Learn", "guide", guide)
    add("Learn", "strategies", list_strategies)
    return app


def _print_version(asked: bool) -> None:
    if asked:
        print_text(f"distsearch {__version__}\n")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", "-V", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    pass


def run(
    *,
    config_file: ConfigOption = None,
    chapter: ChapterOption = False,
    story: StoryOption = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
    live: LiveOption = False,
    json: ResultOption = False,
    folds: Annotated[
        int | None,
        typer.Option(
            **numeric(int, 2),
            help="Cross-validate: this many searches, each tested on a different part; none is kept.",
        ),
    ] = None,
    flags: dict[str, Any],
) -> None:
    """Search for a network's weights; without options, for the built-in example."""
    from distsearch.cli.story import narrators, of_chapter
    from distsearch.search import beforehand, session
    from distsearch.search.assembly import assemble
    from distsearch.search.data import read_data

    settings = _settings(config_file, of_chapter(flags) if chapter else flags)
    ready = beforehand.check(settings, kept=folds is None)
    if folds is not None:
        if live or story or verbose:
            raise UserError(
                "--live, --story and --verbose show one search, and --folds runs several: leave out one of them"
            )
        _cross_validate(settings, folds, json, quiet)
        return
    dataset = read_data(settings) if live else None
    assembly = assemble(settings, dataset)
    picture = pictures.live(assembly, dataset) if dataset is not None else None
    told = partial(narrators, assembly, chapter, story)
    _search(assembly, partial(session.run, assembly, ready=ready), verbose, json, quiet, picture, told)


def resume(
    run: RunArgument,
    rounds: Annotated[
        int | None,
        typer.Option(**numeric(int, 1), help="Additional rounds; if not given, the run's own limits apply."),
    ] = None,
    seconds: Annotated[float | None, typer.Option(**numeric(float, 0), help="Additional seconds.")] = None,
    evaluations: Annotated[
        int | None, typer.Option(**numeric(int, 1), help="Additional passes over all training examples.")
    ] = None,
    workers: Annotated[int | None, typer.Option(**numeric(int, 0), help="Ray workers; as before if not given.")] = None,
    storage: Annotated[
        str | None,
        typer.Option(help="Folder or URI to publish to; as before if not given, nowhere if empty.", metavar="URI"),
    ] = None,
    track: Annotated[
        str | None, typer.Option(help="Trackers; as before if not given, none if empty.", metavar="NAME[:URI]")
    ] = None,
    data: OwnDataOption = "",
    force: Annotated[
        bool, typer.Option("--force", help="Continue even if another version or processor made the run.")
    ] = False,
    verbose: VerboseOption = False,
    quiet: QuietOption = False,
    json: ResultOption = False,
    runs: RunsOption = "runs",
) -> None:
    """Continue a run that has ended, was stopped or was killed."""
    from distsearch.search.resumption import prepare_to_resume
    from distsearch.search.retrieval import Handed

    stored = stored_run(run, runs)
    if storage is None:
        storage = storage_of(run)
    handed = Handed(expanded(data))
    resumption = prepare_to_resume(stored, rounds, seconds, workers, force, storage, handed, evaluations, track)
    _search(resumption.assembly, resumption.run, verbose, json, quiet)


def _cross_validate(settings: config.RunConfig, folds: int, json: bool, quiet: bool) -> None:
    """Search once per fold, and print each test result with their mean and deviation."""
    from distsearch.cli.tables import folds_table
    from distsearch.search.folds import cross_validated
    from distsearch.search.interrupts import Interrupts
    from distsearch.search.limits import INTERRUPTED

    console = new_console(stderr=True, quiet=quiet)
    with Interrupts() as interrupts:
        results = []
        for result in cross_validated(settings, folds, (), interrupts):
            results.append(result)
            done = f"{rounds_text(result.rounds)}, test loss {result.test_loss:.6g}"
            console.print(f"fold {len(results)} of {folds}: {done}", soft_wrap=True)
    console.print(folds_table(results))
    if json:
        print_json(results)
    if len(results) < folds or results[-1].reason == INTERRUPTED:
        raise typer.Exit(INTERRUPTED_EXIT_CODE)


def _search(
    assembly: "Assembly",
    search: "Callable[..., Found]",
    verbose: bool,
    json: bool,
    quiet: bool,
    picture: "Picture | None" = None,
    told: "Callable[[Callable[[str], None]], list[Observer]]" = lambda say: [],
) -> None:
    """Run an assembled search, showing its progress and its result; `told` makes observers that print lines."""
    from distsearch.cli.progress import Reporter
    from distsearch.cli.tables import result_table, settings_line
    from distsearch.search.interrupts import Interrupts
    from distsearch.search.limits import INTERRUPTED
    from distsearch.search.observers import Observer

    settings, measure = assembly.config, assembly.objective.measure
    console = new_console(stderr=True, quiet=quiet)
    console.print(settings_line(settings), f"({assembly.task.weights_count:,} weights)", soft_wrap=True)
    shown = nullcontext(Observer()) if quiet else Reporter(console, settings, verbose, measure, picture)
    with Interrupts() as interrupts, shown as observer:
        result, _, path = search([observer, *told(partial(console.print, soft_wrap=True))], interrupts)
    console.print(result_table(result))
    places = [str(path), *filter(None, [settings.output.storage])]
    stopped = result.reason == INTERRUPTED
    how = f"; `distsearch resume {quote(str(path))}` continues it" if stopped else ""
    console.print(f"kept in {' and in '.join(places)}{how}", soft_wrap=True)
    if json:
        print_json(result)
    if stopped:
        raise typer.Exit(INTERRUPTED_EXIT_CODE)


def publish(
    run: RunArgument,
    storage: Annotated[
        str | None, typer.Option(help="Folder or URI; the run's own if not given.", metavar="URI")
    ] = None,
    runs: RunsOption = "runs",
) -> None:
    """Publish a run, as it is now, to shared storage."""
    from distsearch.search import resumption

    say(f"published {run} in {resumption.publish(stored_run(run, runs), storage)}")


def print_config(*, config_file: ConfigOption = None, flags: dict[str, Any]) -> None:
    """Print all settings as commented TOML, for run --config."""
    from distsearch import strategies

    settings = _settings(config_file, flags)
    name = settings.strategy.name
    own = None if name == AUTO else strategies.settings_of(name, settings.settings)
    print_text(toml.to_toml(settings, own))


def _settings(file: Path | None, flags: dict[str, Any]) -> config.RunConfig:
    from distsearch.search.naming import in_our_words

    flags = with_runs(flags)
    return in_our_words(config.from_flags(flags, _own_to_strategy(file, flags) if file else None))


def _own_to_strategy(file: Path, flags: dict[str, Any]) -> dict[str, Any]:
    """A file's sections, without settings that the strategy chosen by the flags does not have."""
    from distsearch import strategies

    sections = toml.read_toml(file)
    name, settings = flags.get("strategy"), sections.get("settings")
    if name in (None, AUTO) or not isinstance(settings, dict):
        return sections
    known = {setting.name for setting in declarations(strategies.find(name).Settings)}
    if others := [setting for setting in settings if setting not in known]:
        say(f"left out of {file}, as {name} has no such settings: {', '.join(others)}")
    return {**sections, "settings": {key: value for key, value in settings.items() if key in known}}
