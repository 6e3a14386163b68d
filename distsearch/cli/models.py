"""The commands that use the weights that a run found."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from distsearch.cli.lookup import stored as stored_run
from distsearch.cli.options import FILE, JsonOption, RunArgument, RunsOption
from distsearch.cli.output import check_output, print_json, print_parts, print_text, say, write
from distsearch.errors import DataError, RunError, SettingError, brief, unknown
from distsearch.text import expanded, listed

if TYPE_CHECKING:
    from distsearch.data.datasets import Examples
    from distsearch.data.generators import Drawn
    from distsearch.objectives.model import Model
    from distsearch.runs.directory import StoredRun
    from distsearch.search.retrieval import Handed

ReaderOption = Annotated[
    str,
    typer.Option(help="Reader for the file; if not given, the one used in training or for its suffix.", metavar="NAME"),
]


def evaluate(
    run: RunArgument,
    data: Annotated[
        str,
        typer.Option(
            help="Labelled data file, or a built-in data set; the run's own data if not given.", metavar="FILE"
        ),
    ] = "",
    reader: ReaderOption = "",
    target: Annotated[
        str, typer.Option(help="Target column, if its name differs from that in training.", metavar="NAME")
    ] = "",
    metrics: Annotated[
        str,
        typer.Option(
            help="Further metrics to report, separated by commas: accuracy, balanced-accuracy, f1, f1-macro, "
            "precision, recall, auc, average-precision, matthews-correlation, calibration-error, r2, "
            "mean-absolute-error, "
            "median-absolute-error, root-mean-squared-error, share-below, or module:function of true and predicted "
            "values.",
            metavar="A,B,C",
        ),
    ] = "",
    report: Annotated[
        bool,
        typer.Option(
            "--report",
            help="Also report confusions, precision and recall by class, calibration, and quantiles of errors.",
        ),
    ] = False,
    runs: RunsOption = "runs",
    json: JsonOption = False,
) -> None:
    """Measure a run's best weights."""
    from distsearch.cli.tables import report_tables, scores_table
    from distsearch.objectives.metrics import DEFAULTS
    from distsearch.reports.judgement import report as judged
    from distsearch.search.resumption import stored_model

    stored = stored_run(run, runs)
    model = stored_model(stored)
    data = expanded(data)
    parts = _labelled(stored, model, data, target, reader) if data else _own(stored)
    names = [name for name in listed(metrics) if name] or list(DEFAULTS[model.labels is not None] if report else ())
    scores = {part: model.scores(examples, names) for part, examples in parts.items()}
    reports = {}
    if report:
        targets = model.schema.outputs_named
        reports = {part: judged(model.outcome(examples), targets) for part, examples in parts.items()}
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
    file: Annotated[
        str,
        typer.Argument(
            help="File with the features, or a built-in data set, as `run` takes them; - is standard input.",
            metavar="FILE",
        ),
    ],
    reader: ReaderOption = "",
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Add a column with the probability of each class.")
    ] = False,
    ids: Annotated[
        str,
        typer.Option(
            "--id", help="Columns that identify the examples, to keep; those of training if not given.", metavar="A,B"
        ),
    ] = "",
    keep: Annotated[str, typer.Option(help="Other columns of the file to keep.", metavar="A,B")] = "",
    join: Annotated[bool, typer.Option("--join", help="Keep every column of the file.")] = False,
    form: Annotated[
        str,
        typer.Option("--format", help="csv, jsonl or parquet; by the suffix of --output if not given.", metavar="NAME"),
    ] = "",
    output: Annotated[Path | None, typer.Option(help="File to write; stdout if not given.", **FILE)] = None,
    runs: RunsOption = "runs",
) -> None:
    """Predict with a run's best weights: one row per example, for a file of any length."""
    from distsearch.data.datasets import feature_chunks
    from distsearch.data.readers.columns import split_names
    from distsearch.reports.formats import FORMATS
    from distsearch.reports.predictions import columns_of
    from distsearch.search.resumption import stored_model

    form = _format(form, output)
    if output is not None:
        check_output(output)
    stored, file = stored_run(run, runs), expanded(file)
    if output is not None and output.exists() and Path(file).exists() and output.samefile(file):
        raise SettingError(f"--output: expected another file than {brief(file)}, which is read; choose another name")
    model = stored_model(stored)
    if probabilities and not model.gives_probabilities:
        raise SettingError(
            "--probabilities: expected a network trained with --loss cross-entropy, as only these give probabilities"
        )
    chunks = feature_chunks(
        file,
        model.schema,
        reader or stored.reader_for(file),
        keep=(*split_names(ids), *split_names(keep)),
        ids=stored.config.data.id,
        everything=join,
        drawn=_drawn(stored),
    )
    tables = (columns_of(model, features, beside, probabilities) for features, beside in chunks)
    if output is not None:
        write(output, FORMATS[form](tables))
        return
    for part in FORMATS[form](tables):
        print_text(part.decode())


def _format(form: str, output: Path | None) -> str:
    """The format of predictions. SettingError if there is no such format, or if it cannot be printed."""
    from distsearch.reports.formats import FORMATS, NEVER_CSV, SUFFIXES

    if not form and output and output.suffix.lower() in NEVER_CSV:
        raise SettingError(
            f"--output: expected a .csv, .jsonl or .parquet file, got {brief(output.name)}; "
            "name it so, or say what to write in it with --format"
        )
    form = form or (SUFFIXES.get(output.suffix.lower(), "") if output else "") or "csv"
    if form not in FORMATS:
        raise SettingError(f"--format: {unknown('format', form, FORMATS)}")
    if form == "parquet" and output is None:
        raise SettingError("--format parquet: expected a file to write it to: add --output")
    return form


def export(
    run: RunArgument,
    to: Annotated[
        Path,
        typer.Option(
            "--to", help="File to write, in the format of its suffix: .onnx, .py, .json or .safetensors.", **FILE
        ),
    ],
    runs: RunsOption = "runs",
) -> None:
    """Export the model that a run found: everything from raw columns to predictions.

    .onnx is for onnxruntime and similar (needs distsearch[onnx]), .py a Python file that needs only NumPy, .json the
    same graph for other languages; .safetensors has the weights alone, as the network uses them, few bits packed.
    """
    from distsearch.export.formats import check_format
    from distsearch.search.provenance import provenance_of
    from distsearch.search.resumption import stored_model

    encode = check_format(to)
    check_output(to)
    stored = stored_run(run, runs)
    content = encode(stored_model(stored), provenance_of(stored))
    write(to, content)
    say(f"the model of {run}, {len(content):,} bytes, is in {to}")


def _labelled(stored: "StoredRun", model: "Model", data: str, target: str, reader: str) -> "dict[str, Examples]":
    """The examples of a file; where training had arrays without names, and the file has the same data, those."""
    from distsearch.data.datasets import read_examples
    from distsearch.networks.modules.sources import IN_MEMORY
    from distsearch.search.retrieval import Handed

    try:
        return {data: read_examples(data, model.schema, target, reader or stored.reader_for(data), _drawn(stored))}
    except DataError:
        if target or stored.config.data.source != IN_MEMORY:
            raise
        with suppress(DataError, RunError):  # the first sentence says more
            return _own(stored, Handed(data))
        raise


def _drawn(stored: "StoredRun") -> "Drawn":
    """What built-in data sets are drawn by, as those of training were."""
    from distsearch.data.generators import Drawn

    data = stored.config.data
    return Drawn(data.points, data.classes, data.seed)


def _own(stored: "StoredRun", handed: "Handed | None" = None) -> "dict[str, Examples]":
    """The data that a run was trained on, and tested on."""
    from distsearch.search.retrieval import NOTHING, own_data

    dataset = own_data(stored, handed or NOTHING)
    parts = {"train": dataset.train, "validation": dataset.validation, "test": dataset.test}
    return {name: part for name, part in parts.items() if part is not None}
