"""The commands that show runs: plot and report, and what `run --live` draws. Heavy imports are inside, as in app."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from distsearch.cli import streams
from distsearch.cli.completion import run_names
from distsearch.cli.lookup import matching
from distsearch.cli.lookup import stored as stored_run
from distsearch.cli.options import FILE, OwnDataOption, RunsOption
from distsearch.cli.output import check_output, check_suffix, new_console, say, write
from distsearch.text import expanded, some_of

if TYPE_CHECKING:
    from rich.console import RenderableType

    from distsearch.cli.progress import Picture
    from distsearch.data.datasets import Dataset
    from distsearch.reports.subjects import Subject
    from distsearch.reports.terminal import Terminal
    from distsearch.search.assembly import Assembly
    from distsearch.search.observers import Round

WHAT = (
    "loss",
    "accuracy",
    "step",
    "accepted",
    "timeline",
    "boundary",
    "confusion",
    "weights",
    "calibration",
    "residuals",
)
MOST_NAMES = 3  # of runs, in a sentence
ROWS_BESIDE = 4  # of a terminal that a picture leaves to its key, its title and a bar

RunsArgument = Annotated[
    list[str],
    typer.Argument(
        help="Names of runs, patterns such as climb-*, or paths. Those that differ only in the seed are one band.",
        metavar="RUN…",
        autocompletion=run_names,
    ),
]


def plot(
    names: RunsArgument,
    what: Annotated[
        str,
        typer.Option(
            help=f"What to show: {', '.join(WHAT[:-1])} or {WHAT[-1]}.",
            metavar="FIGURE",
            autocompletion=lambda: list(WHAT),
        ),
    ] = "loss",
    to: Annotated[
        Path | None, typer.Option("--to", help="PNG, SVG or PDF file to write; the terminal if not given.", **FILE)
    ] = None,
    by: Annotated[
        str, typer.Option(help="Axis of curves: rounds, passes or seconds; chosen if not given.", metavar="AXIS")
    ] = "",
    features: Annotated[
        str, typer.Option(help="The two columns of a boundary; those that matter most if not given.", metavar="A,B")
    ] = "",
    animate: Annotated[
        Path | None, typer.Option("--animate", help="GIF file to write, of the boundary as it moves.", **FILE)
    ] = None,
    data: OwnDataOption = "",
    runs: RunsOption = "runs",
) -> None:
    """Draw curves of runs, or what a run has learnt: in the terminal, or into a file."""
    from distsearch.data.readers.columns import split_names
    from distsearch.reports import catalogue

    names = matching(names, runs)
    if animate is not None:
        check_suffix("--animate", animate, ".gif")
    if to is not None:
        _check_picture(to)
    subjects = _subjects(names, runs, data)
    pair = tuple(split_names(features))
    if animate is not None:
        from distsearch.reports.animation import animated
        from distsearch.reports.judgements import single

        write(animate, animated(single(subjects, "--animate"), pair))
        say(f"the boundary of {names[0]}, round by round, is in {animate}")
        if to is None:
            return
    unused = animate is not None and what != catalogue.BOUNDARY  # the film has taken the columns
    figure = catalogue.figure(what, subjects, by, () if unused else pair)
    if to is None:
        new_console().print(_terminal(stderr=False).drawn(figure))
        return
    from distsearch.reports.drawing import drawn

    write(to, drawn(figure, to.suffix.lower().removeprefix(".")))
    say(f"{what} of {some_of(names, MOST_NAMES)} is in {to}")


def report(
    names: RunsArgument,
    to: Annotated[Path, typer.Option("--to", help="HTML file to write.", **FILE)],
    data: OwnDataOption = "",
    runs: RunsOption = "runs",
) -> None:
    """Write a report on runs as one self-contained HTML page."""
    from distsearch.reports import page

    check_suffix("--to", to, ".html", ".htm")
    write(to, page.report(_subjects(matching(names, runs), runs, data)).encode())
    say(f"the report is in {to}")


def live(assembly: "Assembly", dataset: "Dataset") -> "Picture":
    """What `run --live` draws: the boundary of two features, or else the best loss."""
    from distsearch.data.schema import Schema
    from distsearch.objectives.model import Model
    from distsearch.reports.boundary import Plane
    from distsearch.reports.packages import imported

    config, schema = assembly.config, Schema.from_json(assembly.schema)
    if len(schema.inputs) != 2:
        imported("plotext")
        return _live_loss()
    model = Model(config.network, schema, assembly.plan.first.center, assembly.plan.network)
    plane = Plane(model, dataset.train, (0, 1))

    def boundary(done: "Round") -> "RenderableType":
        return _terminal(stderr=True).boundary(
            plane.seen(Model(config.network, schema, done.after.best.weights, model.network), "")
        )

    return boundary


def _live_loss() -> "Picture":
    from distsearch.reports.figures import Curves, line, scaled

    rounds: list[int] = []
    losses: list[float] = []

    def curve(done: "Round") -> "RenderableType":
        rounds.append(done.record.round + 1)
        losses.append(done.record.best_loss)
        shown, logarithmic = scaled([line("", rounds, losses)])
        if not len(shown[0].x):
            return "no loss measured yet"
        return _terminal(stderr=True).drawn(Curves("Best loss", "rounds", "loss", shown, logarithmic))

    return curve


def _subjects(names: list[str], runs: str, data: str) -> "list[Subject]":
    """The runs of these names, on data that is elsewhere now or that came from Python, if given."""
    from distsearch.reports.subjects import Subject
    from distsearch.search.retrieval import Handed

    handed = Handed(expanded(data))
    return [Subject(stored_run(name, runs), handed) for name in names]


def _terminal(stderr: bool) -> "Terminal":
    from distsearch.reports.terminal import Terminal

    console = new_console(stderr=stderr)
    size = console.size if console.is_terminal else shutil.get_terminal_size()
    coloured = console.is_terminal and console.color_system is not None and not console.no_color
    return Terminal(size[0], coloured, streams.shows_utf8(), size[1] - ROWS_BESIDE)


def _check_picture(path: Path) -> None:
    from distsearch.reports.drawing import check_format

    check_format(path)
    check_output(path)
