"""The commands that use the weights that a run found."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from distsearch.cli.lookup import stored as stored_run
from distsearch.cli.options import FILE, JsonOption, RunArgument, RunsOption
from distsearch.cli.output import check_output, print_json, print_parts, print_text, say, write
from distsearch.errors import DataError, RunError
from distsearch.text import expanded

if TYPE_CHECKING:
    from distsearch.data.datasets import Examples
    from distsearch.objectives.model import Model
    from distsearch.runs.directory import StoredRun
    from distsearch.search.retrieval import Handed

ReaderOption = Annotated[
    str, typer.Option(help="Reader for the file; if not given, the one used in training or for its suffix.")
]


def evaluate(
    run: RunArgument,
    data: Annotated[str, typer.Option(help="Labelled data file; the run's own data if not given.")] = "",
    reader: ReaderOption = "",
    target: Annotated[str, typer.Option(help="Target column, if its name differs from that in training.")] = "",
    metrics: Annotated[
        str,
        typer.Option(
            help="Metrics to report as well, with commas between: accuracy, balanced-accuracy, f1, "
            "mean-absolute-error, root-mean-squared-error, r2, or module:function of true and predicted values.",
            metavar="A,B,C",
        ),
    ] = "",
    runs: RunsOption = "runs",
    json: JsonOption = False,
) -> None:
    """Measure a run's best weights."""
    from distsearch.cli.tables import scores_table
    from distsearch.search.resumption import stored_model

    stored = stored_run(run, runs)
    model = stored_model(stored)
    data = expanded(data)
    parts = _labelled(stored, model, data, target, reader) if data else _own(stored)
    names = [name for name in metrics.split(",") if name]
    scores = {part: model.scores(examples, names) for part, examples in parts.items()}
    if json:
        print_json({name: each.document() for name, each in scores.items()})
    else:
        print_parts(scores_table(scores))


def predict(
    run: RunArgument,
    file: Annotated[str, typer.Argument(help="CSV, Parquet, NPZ or IDX file with the features.", metavar="FILE")],
    reader: ReaderOption = "",
    output: Annotated[Path | None, typer.Option(help="CSV file to write; stdout if not given.", **FILE)] = None,
    runs: RunsOption = "runs",
) -> None:
    """Predict with a run's best weights: one CSV line per example in the file."""
    from distsearch.data.datasets import read_features
    from distsearch.reports.predictions import as_csv
    from distsearch.search.resumption import stored_model

    if output is not None:
        check_output(output)
    stored, file = stored_run(run, runs), expanded(file)
    model = stored_model(stored)
    text = as_csv(model, read_features(file, model.schema, reader or stored.reader_for(file)))
    if output is None:
        print_text(text)
    else:
        write(output, text.encode())


def export(
    run: RunArgument,
    to: Annotated[Path, typer.Option("--to", help="Safetensors file to write.", **FILE)],
    runs: RunsOption = "runs",
) -> None:
    """Write a run's best weights as its network uses them: int8 as bytes, ternary and binary packed into bits."""
    from distsearch.search.exporting import exported

    check_output(to)
    content = exported(stored_run(run, runs))
    write(to, content)
    say(f"the best weights of {run}, {len(content):,} bytes, are in {to}")


def _labelled(stored: "StoredRun", model: "Model", data: str, target: str, reader: str) -> "dict[str, Examples]":
    """The examples of a file; where training had arrays without names, and the file has the same data, those."""
    from distsearch.data.datasets import read_examples
    from distsearch.search.foreign_code import IN_MEMORY
    from distsearch.search.retrieval import Handed

    try:
        return {data: read_examples(data, model.schema, target, reader or stored.reader_for(data))}
    except DataError:
        if target or stored.config.data.source != IN_MEMORY:
            raise
        with suppress(DataError, RunError):  # the first sentence says more
            return _own(stored, Handed(data))
        raise


def _own(stored: "StoredRun", handed: "Handed | None" = None) -> "dict[str, Examples]":
    """The data that a run was trained on, and tested on."""
    from distsearch.search.retrieval import NOTHING, own_data

    dataset = own_data(stored, handed or NOTHING)
    return {"train": dataset.train} | ({"test": dataset.test} if dataset.test else {})
