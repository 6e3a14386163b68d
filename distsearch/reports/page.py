"""A report: one page of HTML on runs, or on a comparison of strategies, that needs nothing beside itself."""

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from math import isinf

from distsearch import __version__
from distsearch.reports import html, sections
from distsearch.reports.subjects import Subject
from distsearch.search.comparison import Line, Spread
from distsearch.text import some_of

COMPARED = ("passes", "time", "best loss", "accuracy", "test accuracy", "")
MOST_NAMES = 3  # of runs, in a title


def report(subjects: Sequence[Subject]) -> str:
    """The report on runs. RunError if one has no rounds yet, or is damaged."""
    title = some_of([each.name for each in subjects], MOST_NAMES)
    parts = [_introduction(subjects)]
    if len(subjects) == 1:
        parts += _of_one(subjects[0])
    else:
        parts += ["<h2>Side by side</h2>", _overview(subjects), sections.history(subjects)]
        for each in subjects:
            inside = "\n".join(_of_one(each))
            parts.append(f'<details class="run"><summary>{escape(each.name)}</summary>\n{inside}\n</details>')
    parts.append(_made())
    return html.page(title, parts)


def comparison(lines: Sequence[Line], subjects: Sequence[Subject]) -> str:
    """The report on strategies that were compared: a line for each, and the runs of their searches."""
    parts = [
        '<p class="soft">The same problem, start weights and budget; medians over the seeds, with their range.</p>',
        html.filled_table(
            [_line(each) for each in lines], ("strategy", "searches", "reached the target", *COMPARED), range(1, 8)
        ),
    ]
    if subjects:
        parts += ["<h2>Progress</h2>", sections.history(subjects), "<h2>Every search</h2>", _overview(subjects)]
        parts += ["<h2>Data</h2>", sections.data(subjects[0])]
    return html.page("Strategies compared", [*parts, _made()])


def _line(line: Line) -> tuple[str, ...]:
    forms = ("{:,.0f}", "{:.3g} s", "{:.4g}", "{:.1%}", "{:.1%}")
    spreads = (line.passes, line.seconds, line.loss, line.accuracy, line.test_accuracy)
    reached = "–" if line.reached is None else f"{line.reached}"
    figures = (_spread(each, form) for each, form in zip(spreads, forms, strict=True))
    return (line.strategy, f"{line.searches}", reached, *figures, line.failure)


def _spread(spread: Spread | None, form: str) -> str:
    if spread is None:
        return "–"
    middle, low, high = (
        "never" if isinf(each) else form.format(each) for each in (spread.median, spread.lowest, spread.highest)
    )
    return middle if low == high else f"{middle} ({low} to {high})"


def _introduction(subjects: Sequence[Subject]) -> str:
    config = subjects[0].config
    if len(subjects) > 1:
        return f'<p class="soft">{len(subjects)} runs of distsearch.</p>'
    layers = ", ".join(map(str, config.network.layers)) or "none"
    network = f"hidden layers {layers} ({', '.join(config.network.activation)})"
    if config.network.model:
        network = f"model {config.network.model}"
    what = (
        f"{config.strategy.name}, seed {config.strategy.seed}, on {config.data.source}; {network}, "
        f"{config.network.loss}."
        if subjects[0].stored.manifest.data
        else f"{config.strategy.name}, seed {config.strategy.seed}, on a function."
    )
    started = _moment(datetime.fromisoformat(subjects[0].stored.manifest.created))
    return f'<p class="soft">{escape(what)} Started {started}.</p>'


def _of_one(subject: Subject) -> list[str]:
    return [
        sections.key_figures(subject),
        '<h2>Progress</h2><p class="soft">Drag over a chart to zoom in; double-click to zoom out.</p>',
        sections.history([subject]),
        "<h2>Evaluation</h2>",
        sections.judgement(subject),
        '<h2>Data, network, settings</h2><div class="two">',
        f"<div><h3>Data</h3>{sections.data(subject)}</div><div>{sections.network(subject)}</div></div>",
        sections.settings(subject),
        "<h2>Computation</h2>",
        sections.computed(subject),
        "<h2>How to reproduce it</h2>",
        sections.repeat(subject),
    ]


def _overview(subjects: Sequence[Subject]) -> str:
    """A line for each run: how it ended, and the settings in which they differ."""
    names = sections.differing(subjects)
    rows = []
    for subject in subjects:
        flat, result = sections.flattened(subject.config), subject.stored.result
        last = subject.rounds[-1]
        accuracy, tested = (None, None) if result is None else (result.accuracy, result.test_accuracy)
        rows.append(
            (
                subject.name,
                f"{last.best_loss if result is None else result.loss:.5g}",
                *("–" if share is None else f"{share:.1%}" for share in (accuracy, tested)),
                f"{len(subject.rounds):,}",
                f"{last.passes:,.0f}",
                f"{last.seconds:,.3g} s",
                *(sections.typed(flat[name]) for name in names),
            )
        )
    heads = (
        "run",
        "best loss",
        "accuracy",
        "test",
        "rounds done",
        "passes",
        "time",
        *map(sections.flag_of, names),
    )
    return html.filled_table(rows, heads, range(1, 7))


def _made() -> str:
    made = _moment(datetime.now(UTC))
    return f'<p class="soft">Report written by distsearch {__version__}, {made}.</p>'


def _moment(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
