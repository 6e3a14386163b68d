"""The tables that the commands print."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isinf
from statistics import fmean, pstdev
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from distsearch.cli import columns
from distsearch.config import RunConfig
from distsearch.objectives.model import Scores
from distsearch.runs.directory import Result
from distsearch.runs.history import RoundRecord
from distsearch.settings import declarations, shown
from distsearch.strategies.base import AnyStrategy
from distsearch.text import duration, rounds_text, some_of

if TYPE_CHECKING:
    from distsearch.cli.progress import Reached
    from distsearch.jobs.cluster import Job
    from distsearch.networks.trainable import Described
    from distsearch.reports.judgement import Report
    from distsearch.search.comparison import Contestant, Line, Spread
    from distsearch.search.differences import Pairs
    from distsearch.search.verification import Verdict

ROWS = 16
PASSES = "passes"
HISTORY = ("round", PASSES, "seconds", "center loss", "best loss", "step", "accuracy", "test")
"""What the history shows of a round besides metrics."""
PARTS = {"train": "training", "validation": "validation", "test": "test"}


def result_table(result: Result, of_function: bool = False) -> Table:
    """A run's result, one line per figure; that of a function has calls where a network's has passes."""
    table = Table.grid(padding=(0, 2))
    table.add_row("best loss", f"{result.loss:.6g}", f"round {result.best_round:,}, candidate {result.best_index:,}")
    if result.accuracy is not None:
        table.add_row("accuracy", f"{result.accuracy:.2%}", "on the training examples")
    if result.validation_loss is not None:
        accuracy = "" if result.validation_accuracy is None else f", accuracy {result.validation_accuracy:.2%}"
        table.add_row("validation", f"{result.validation_loss:.6g}{accuracy}", "on the validation examples")
    if result.test_loss is not None:
        accuracy = "" if result.test_accuracy is None else f", accuracy {result.test_accuracy:.2%}"
        table.add_row("test loss", f"{result.test_loss:.6g}{accuracy}", "on examples never trained on")
    if result.baseline is not None:
        where = "" if result.test_loss is None else ", on the test examples"
        table.add_row("baseline", f"{result.baseline:.6g}", f"the lowest loss with the same prediction for all{where}")
    for name, value in (result.metrics or {}).items():
        table.add_row(name, f"{value:.6g}", "")
    for held in result.constraints:
        verdict = "holds" if held.holds else Text("does not hold", style="bold red")
        table.add_row(Text(held.constraint), verdict, f"{_values(held.values)} on the {PARTS[held.examples]} examples")
    of_what = "of the function" if of_function else "over the training examples"
    cost = f"{of_what}, in {rounds_text(result.rounds)}, {result.seconds:.2f} s"
    table.add_row("calls" if of_function else "passes", _passes(result.passes), cost)
    if result.non_finite:
        table.add_row("not finite", f"{result.non_finite:,}", "candidates whose loss was infinite or NaN")
    table.add_row("ended by", result.reason, "")
    return table


def _values(values: Mapping[str, float]) -> str:
    return " and ".join(f"{value:.4g}" for value in values.values())


def folds_table(results: Sequence[Result]) -> Table:
    """The results of a cross-validation, a line for each fold, and their mean and standard deviation."""
    table = Table(box=None, pad_edge=False)
    for name in ("fold", "rounds", "loss", "test loss", "test accuracy"):
        table.add_column(name, justify="right")
    for number, result in enumerate(results, start=1):
        accuracy = "" if result.test_accuracy is None else f"{result.test_accuracy:.2%}"
        table.add_row(str(number), f"{result.rounds:,}", f"{result.loss:.6g}", f"{result.test_loss:.6g}", accuracy)
    losses = [result.test_loss for result in results if result.test_loss is not None]
    accuracies = [result.test_accuracy for result in results if result.test_accuracy is not None]
    for name, of in (("mean", fmean), ("deviation", pstdev)):
        table.add_row(name, "", "", f"{of(losses):.6g}", f"{of(accuracies):.2%}" if accuracies else "")
    return table


def history_lines(rows: Sequence[RoundRecord], width: int, of_function: bool = False) -> list[str]:
    """The history: at most ROWS of its rounds, denser at the beginning, where most happens."""
    passes = "calls" if of_function else PASSES
    heads = [passes if name == PASSES else name for name in HISTORY]
    metrics = [name for name in dict.fromkeys(name for row in rows for name in row.metrics or ()) if name not in heads]
    cells: dict[str, list[str]] = {name: [] for name in (*heads, *metrics)}
    accuracy = test = None
    latest: dict[str, float] = {}
    picked = _picked(len(rows))
    for number, row in enumerate(rows):
        accuracy = row.accuracy if row.accuracy is not None else accuracy
        test = row.test_accuracy if row.test_accuracy is not None else test
        latest = row.metrics or latest
        if number in picked:
            texts = (
                f"{row.round:,}",
                _passes(row.passes),
                f"{row.seconds:.2f}",
                f"{row.center_loss:.6g}",
                f"{row.best_loss:.6g}",
                f"{row.sigma:.3g}",
                _percent(accuracy),
                _percent(test),
                *(f"{latest[name]:.4g}" if name in latest else "" for name in metrics),
            )
            for name, text in zip(cells, texts, strict=True):
                cells[name].append(text)
    on_others = sorted((name for name in metrics if name.startswith(("test-", "validation-"))), reverse=True)
    leaving = (*on_others, "step", passes, *reversed(metrics), "seconds", "test", "accuracy")
    return columns.lines((columns.Cells(name, texts) for name, texts in cells.items()), leaving, width)


def settings_line(config: RunConfig) -> str:
    """A run's main settings, in one line."""
    layers = "-".join(map(str, config.network.layers)) or "no hidden layer"
    network = f"hidden layers {layers} ({', '.join(config.network.activation)})"
    if config.network.model:
        network = f"model {config.network.model}"
    return (
        f"{config.data.source}, {network}, {config.network.loss}, {config.strategy.name}, seed {config.strategy.seed}"
    )


def network_table(inputs: tuple[int, ...], layers: "Sequence[Described]") -> Table:
    """A network layer by layer, from its inputs' shape on: what each returns for an example, and its weights."""
    table = Table(box=None, pad_edge=False)
    table.add_column("layer")
    for name in ("returns", "weights", "bits"):
        table.add_column(name, justify="right")
    table.add_row("inputs", _by(inputs), "", "")
    for layer in layers:
        weights = f"{layer.weights:,}" if layer.weights else ""
        table.add_row(layer.kind, _by(layer.shape), weights, ", ".join(map(str, layer.bits)))
    return table


def frozen_lines(frozen: Mapping[str, str]) -> list[str]:
    """A line that names what of a network is not searched; none if all of it is."""
    return [f"frozen: {some_of([*frozen], ROWS)}"] if frozen else []


def _by(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))


def differences_table(found: "Mapping[str, Pairs]", names: Sequence[str]) -> Table:
    """In what two runs of these names differ: a line each, group by group."""
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for name in names:
        table.add_column(name, overflow="fold")
    for group, pairs in found.items():
        if pairs:
            table.add_row(group, style="bold")
        for name, values in pairs.items():
            table.add_row(f"  {name}", *map(_difference, values))
    return table


def _difference(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.6g}" if isinstance(value, float) else shown(value)


def jobs_table(jobs: "Iterable[tuple[Job, Reached | None]]", now: float) -> Table:
    """One line per job on a cluster, with its progress; `now` in seconds since 1970."""
    table = Table(box=None, pad_edge=False)
    for name in ("job", "status", "run"):
        table.add_column(name, no_wrap=True)
    for name in ("rounds", "best loss", "started"):
        table.add_column(name, justify="right")
    for job, reached in jobs:
        status = job.status.lower() + (f" ({job.exit_code})" if job.exit_code else "")
        progress = (f"{reached.rounds:,}", f"{reached.loss:.6g}") if reached else ("", "")
        table.add_row(job.id, status, job.run, *progress, f"{duration(max(0.0, now - job.started))} ago")
    return table


def job_document(job: "Job", reached: "Reached | None") -> dict[str, Any]:
    """A job on a cluster and its progress, for JSON."""
    return {
        "job": job.id,
        "run": job.run,
        "status": job.status.lower(),
        "exit_code": job.exit_code,
        "started": job.started,
        "rounds": reached.rounds if reached else None,
        "loss": reached.loss if reached else None,
    }


def verdict_lines(verdict: "Verdict") -> list[str]:
    """What a verification found, with at most ROWS differences."""
    decided, tried = rounds_text(verdict.rounds), len(verdict.tried)
    what = f"{decided} decided again, all candidates of {tried:,} of them evaluated again"
    if not verdict.differences:
        return [f"{verdict.run}: {what}: identical"]
    more = len(verdict.differences) - ROWS
    count = len(verdict.differences)
    differ = f"{count:,} difference{'' if count == 1 else 's'}"
    lines = [f"{verdict.run}: {what}: {differ}", *verdict.differences[:ROWS]]
    return [*lines, f"and {more:,} more"] if more > 0 else lines


def scores_table(scores: dict[str, Scores]) -> Table:
    """Loss and accuracy, one line per set of examples."""
    table = Table(box=None, pad_edge=False)
    table.add_column("examples")
    first = next(iter(scores.values()))
    for name in ("count", "loss", "accuracy", *first.metrics, *(each.constraint for each in first.constraints)):
        table.add_column(Text(name), justify="right")
    for name, each in scores.items():
        values = (f"{value:.6g}" for value in each.metrics.values())
        held = (f"{_values(one.values)}: {'holds' if one.holds else 'violated'}" for one in each.constraints)
        table.add_row(name, f"{each.examples:,}", f"{each.loss:.9g}", _percent(each.accuracy), *values, *held)
    return table


def report_tables(report: "Report") -> "list[Table | str]":
    """A model at length: confusions, classes, how sure it is, its errors."""
    parts: list[Table | str] = []
    if report.confusion:
        table = Table(box=None, pad_edge=False, title="true class by predicted class", title_justify="left")
        for name in ("", *(row.label for row in report.classes)):
            table.add_column(Text(name), justify="right")
        for row, counts in zip(report.classes, report.confusion, strict=True):
            table.add_row(Text(row.label), *(f"{count:,}" for count in counts))
        parts += ["", table]
    if report.classes:
        table = _right_aligned("class", "examples", "precision", "recall", "f1")
        for row in report.classes:
            shares = (f"{share:.3f}" for share in (row.precision, row.recall, row.f1))
            table.add_row(Text(row.label), f"{row.examples:,}", *shares)
        parts += ["", table]
    if report.calibration:
        table = _right_aligned("sure of", "examples", "right")
        for count, sure, right in report.calibration:
            table.add_row(f"{sure:.1%}", f"{count:,}", f"{right:.1%}")
        parts += ["", table]
    if report.residuals:
        heads = [f"{name}, predicted − true" for name in report.targets] or ["predicted − true"]
        table = _right_aligned("quantile", *heads)
        for quantile, *errors in report.residuals:
            table.add_row(f"{quantile:.0%}", *(f"{error:.6g}" for error in errors))
        parts += ["", table]
    return parts


def _right_aligned(*names: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in names:
        table.add_column(Text(name), justify="right")
    return table


def strategies_table(strategies: Iterable[type[AnyStrategy]]) -> Table:
    """One line per strategy: what it does, and when to use it."""
    table = Table(box=None, pad_edge=False)
    table.add_column("strategy", no_wrap=True)
    for name in ("what it does", "when to use it"):
        table.add_column(name)
    for strategy in strategies:
        table.add_row(strategy.name, strategy.summary, strategy.when)
    return table


def settings_table(strategy: type[AnyStrategy]) -> Table:
    """The settings of a strategy, as declared."""
    table = Table(box=None, pad_edge=False)
    for name in ("option", "default", "meaning"):
        table.add_column(name, no_wrap=name == "option")
    for setting in declarations(strategy.Settings):
        unit = f" [{setting.unit}]" if setting.unit else ""
        default = "chosen" if setting.default is None else shown(setting.default)
        table.add_row(f"--{setting.flag}", default, setting.text + unit)
    return table


def strategy_document(strategy: type[AnyStrategy]) -> dict[str, Any]:
    """A strategy and its settings, for JSON."""
    settings = [
        {"name": each.name, "default": each.default, "meaning": each.text, "unit": each.unit}
        for each in declarations(strategy.Settings)
    ]
    return {"name": strategy.name, "summary": strategy.summary, "when": strategy.when, "settings": settings}


def search_line(search: "Contestant") -> str:
    """How one search of a comparison ended."""
    what = f"{search.strategy}, seed {search.seed}"
    if search.result is None:
        return f"{what}: {search.failure}"
    result = search.result
    cost = f"{_passes(result.passes)} passes, {result.seconds:.2f} s"
    return f"{what}: loss {result.loss:.6g} after {cost} ({result.reason})"


def comparison_table(lines: "Sequence[Line]") -> Table:
    """One line per strategy: median and range over its seeds. A dash means that the target was not reached."""
    test = any(line.test_accuracy for line in lines)
    table = Table(box=None, pad_edge=False)
    table.add_column("strategy", no_wrap=True)
    target = any(line.reached is not None for line in lines)
    cost = [f"{what} to target" if target else what for what in ("passes", "seconds")]
    for name in (*(["reached"] if target else []), *cost, "loss", "test accuracy" if test else "accuracy"):
        table.add_column(name, justify="right", min_width=8)
    if any(line.failure for line in lines):
        table.add_column("")
    for line in lines:
        table.add_row(
            line.strategy,
            *([f"{line.reached} of {line.searches}"] if target else []),
            _spread(line.passes, _passes),
            _spread(line.seconds, "{:,.3g}".format),
            _spread(line.loss, "{:.3g}".format),
            _spread(line.test_accuracy if test else line.accuracy, "{:.1%}".format),
            line.failure,
        )
    return table


def _spread(spread: "Spread | None", form: Callable[[float], str]) -> str:
    """The median, followed by the range if there is one."""
    if spread is None:
        return ""
    middle, lowest, highest = (
        "–" if isinf(number) else form(number) for number in (spread.median, spread.lowest, spread.highest)
    )
    return middle if lowest == highest else f"{middle} ({lowest}…{highest})"


def _picked(count: int) -> set[int]:
    """At most ROWS of range(count): the first, the last, and some in between at growing distances."""
    if count <= ROWS:
        return set(range(count))
    ratio = count ** (1 / (ROWS - 1))
    return {0, *(min(count - 1, round(ratio**power)) for power in range(ROWS))}


def _passes(passes: float) -> str:
    """A number of forward passes over all training examples; a minibatch counts as a fraction."""
    return f"{passes:,.0f}" if passes >= 100 or passes == int(passes) else f"{passes:.3g}"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.2%}"
