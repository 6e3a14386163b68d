"""The commands that use the weights that a run found."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from distsearch.cli.lookup import stored as stored_run
from distsearch.cli.options import FILE, JsonOption, RunArgument, RunsOption
from distsearch.cli.output import check_output, print_json, print_parts, print_text, say, write
from distsearch.text import expanded

if TYPE_CHECKING:
    from distsearch.data.datasets import Examples
    from distsearch.runs.directory import StoredRun

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
            help="Metrics to report as well, with commas between: accuracy, balanced-accuracy, f1, f1-macro, "
            "precision, recall, auc, average-precision, matthews-correlation, calibration-error, r2, "
            "mean-absolute-error, "
            "median-absolute-error, root-mean-squared-error, share-below, or module:function of true and predicted "
            "values.",
            metavar="A,B,C",
        ),
    ] = "",
    report: Annotated[
        bool,
        typer.Option("--report", help="Confusions, precision and recall by class, calibration, quantiles of errors."),
    ] = False,
    runs: RunsOption = "runs",
    json: JsonOption = False,
) -> None:
    """Measure a run's best weights."""
    from distsearch.cli.tables import report_tables, scores_table
    from distsearch.data.datasets import read_examples
    from distsearch.objectives.metrics import DEFAULTS
    from distsearch.reports.judgement import report as judged
    from distsearch.search.resumption import stored_model

    stored = stored_run(run, runs)
    model = stored_model(stored)
    data = expanded(data)
    parts = (
        {data: read_examples(data, model.schema, target, reader or stored.reader_for(data))} if data else _own(stored)
    )
    names = [name for name in metrics.split(",") if name] or list(DEFAULTS[model.labels is not None] if report else ())
    scores = {part: model.scores(examples, names) for part, examples in parts.items()}
    reports = {part: judged(model.outcome(examples)) for part, examples in parts.items()} if report else {}
    if json:
        documents = {name: each.document() for name, each in scores.items()}
        for name, judgement in reports.items():
            documents[name]["report"] = judgement.document()
        print_json(documents)
    else:
        print_parts(scores_table(scores))
        for name, judgement in reports.items():
            print_parts("", f"on {name}:", *report_tables(judgement))


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


def _own(stored: "StoredRun") -> "dict[str, Examples]":
    """The data that a run was trained on, and tested on."""
    from distsearch.search.resumption import read_own_data

    dataset = read_own_data(stored)
    return {"train": dataset.train} | ({"test": dataset.test} if dataset.test else {})
