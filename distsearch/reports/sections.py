"""The sections of a report on one run: what it is, its results, who computed it, how to reproduce it."""

import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from html import escape
from typing import Any

import msgspec
import numpy as np

from distsearch import config as configs
from distsearch import strategies
from distsearch.config import RunConfig, toml
from distsearch.data.schema import Schema
from distsearch.errors import DistsearchError, UserError
from distsearch.networks.modules.sources import IN_MEMORY
from distsearch.objectives.model import network_for
from distsearch.reports import boundary, commands, curves, html, judgements
from distsearch.reports.figures import Confusion, Curves, Figure
from distsearch.reports.status import reported
from distsearch.reports.subjects import Subject
from distsearch.search.resumption import unfinished
from distsearch.settings import shown

MOST_EVENTS = 60
MOST_NAMES = 20  # of features and classes
READABLE = 1e4, 1e12  # losses that are written without an exponent
MOST_WORKERS = 64  # that have a row


def key_figures(subject: Subject) -> str:
    """The run's results, in a few numbers."""
    result, rounds = subject.stored.result, subject.rounds
    last = rounds[-1]
    found = [("best loss", _loss(last.best_loss if result is None else result.loss))]
    if result is not None:
        for name, share in (("training accuracy", result.accuracy), ("test accuracy", result.test_accuracy)):
            if share is not None:
                found.append((name, f"{share:.2%}"))
        if result.test_loss is not None:
            found.append(("test loss", _loss(result.test_loss)))
        found += [(name, f"{value:.4g}") for name, value in reported(result.metrics or {}).items()]
        found += [(each.constraint, each.words) for each in result.constraints]
    found += [
        ("rounds", f"{len(rounds):,}"),
        ("forward passes" if subject.stored.manifest.data else "calls of the function", f"{last.passes:,.0f}"),
        ("time", f"{last.seconds:,.3g} s"),
        ("weights", f"{subject.stored.manifest.weights:,}"),
        ("ended", "not yet") if result is None else ("ended by", result.reason),
    ]
    return html.cards(found)


def _loss(value: float | None) -> str:
    """A loss, without an exponent where its digits can be read."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if READABLE[0] <= abs(value) < READABLE[1] else f"{value:.4g}"


def history(subjects: Sequence[Subject]) -> str:
    """The curves over the rounds, of one run or of several."""
    builders: list[Callable[[Sequence[Subject]], Figure]] = [curves.losses, curves.accuracies, curves.steps]
    if len(subjects) == 1:
        builders += [curves.decisions, curves.timeline]
    shown = (each for each in _those_that_fit(builders, subjects) if not _is_plain(each))
    return html.figures(map(html.figure, shown))


def _is_plain(figure: Figure) -> bool:
    """Whether a figure shows no course: a single line that never rises or falls, or a single point of each."""
    if not isinstance(figure, Curves):
        return False
    constant = len(figure.lines) == 1 and len(set(figure.lines[0].y.tolist())) == 1
    return constant or all(len(np.unique(each.x)) < 2 for each in figure.lines)


def judgement(subject: Subject) -> str:
    """How the network does on the examples; a sentence where they are not at hand."""
    if not subject.stored.manifest.data:
        return html.figures(html.figure(each) for each in _those_that_fit((judgements.weights,), [subject]))
    try:
        what, examples = subject.judged
    except DistsearchError as error:
        return f'<p class="soft">{escape(f"Its data is not at hand: {error}.")}</p>'
    builders: list[Callable[[Sequence[Subject]], Figure]] = []
    features = len(subject.model.schema.inputs)
    if features <= 2:
        builders.append(boundary.boundary)
    if 2 <= features <= judgements.MOST_FEATURES:
        builders.append(lambda given: judgements.importance(given[0]))
    builders += [judgements.confusion, judgements.calibration, judgements.residuals, judgements.weights]
    shown = []
    for each in _those_that_fit(builders, [subject]):
        shown.append(html.figure(each))
        if isinstance(each, Confusion):
            shown.append(html.classes_figure(each))
    said = " ".join(
        f"{each}." for each in (f"On {len(examples.features):,} {what}", unfinished(subject.stored)) if each
    )
    return f'<p class="soft">{escape(said)}</p>{html.figures(shown)}'


def _those_that_fit(
    builders: Iterable[Callable[[Sequence[Subject]], Figure]], subjects: Sequence[Subject]
) -> Iterator[Figure]:
    """The figures that fit the runs: accuracy is not for numbers, residuals are not for classes."""
    for build in builders:
        try:
            yield build(subjects)
        except UserError:
            continue


def data(subject: Subject) -> str:
    """The data, and what was done to it."""
    manifest, config = subject.stored.manifest, subject.config
    if not manifest.data:
        return html.definitions([("data", "none: a function was minimised")])
    schema = Schema.from_json(manifest.data)
    pairs: list[tuple[str, object]] = [
        ("source", config.data.source),
        ("training examples", f"{manifest.examples:,}"),
        ("features", _listed(schema.features)),
        ("target", schema.target or "–"),
        ("classes", _listed(schema.classes) if schema.classes else "none: numbers"),
        ("standardised", "by the training mean and deviation" if schema.mean is not None else "no"),
        ("test share", f"{config.data.test_share:.0%}" if config.data.test_share else "none, or the source's own"),
        *([("validation share", f"{config.data.validation_share:.0%}")] if config.data.validation_share else []),
        ("batch", f"{config.data.batch:,} examples a round" if config.data.batch else "all examples every round"),
    ]
    if schema.shape:
        pairs.append(("image", " × ".join(map(str, schema.shape))))
    if schema.step is not None:
        pairs.append(("rounded", f"to whole numbers of {schema.step:g}"))
    return html.definitions([*pairs, ("fingerprint", manifest.fingerprint)])


def network(subject: Subject) -> str:
    """The network, layer by layer."""
    if not subject.stored.manifest.data:
        return ""
    schema = Schema.from_json(subject.stored.manifest.data)
    layers = network_for(subject.config.network, schema).described()
    rows = [("inputs", " × ".join(map(str, schema.shape or (len(schema.inputs),))), "")]
    rows += [
        (each.kind, " × ".join(map(str, each.shape)), f"{each.weights:,}" if each.weights else "") for each in layers
    ]
    return f"<h3>Network</h3>{html.table(rows, ('layer', 'returns', 'weights'), (1, 2))}"


def computed(subject: Subject) -> str:
    """Who computed it, and when workers came, went or were slow."""
    manifest, rounds = subject.stored.manifest, subject.rounds
    parts = [f"<h3>The search's own process</h3>{html.definitions(manifest.machine.items())}"]
    parts += [f"<h3>A machine of workers</h3>{html.definitions(each.items())}" for each in manifest.workers]
    if manifest.events:
        told = [
            (f"{each.seconds:.2f} s", f"{each.round + 1:,}", _workers(each.workers), f"{each.retried:,}")
            for each in manifest.events[-MOST_EVENTS:]
        ]
        heads = ("time", "rounds", "workers from then on", "shards repeated so far")
        parts.append(f"<h3>Workers</h3>{html.table(told, heads, (0, 1, 3))}")
    else:
        parts.append('<p class="soft">All rounds were computed in the search\'s own process.</p>')
    if manifest.shares:
        columns = ("computed by", "units", "share", "busy", "joined", "left")
        parts.append(f"<h3>Who computed what</h3>{html.table(list(_shares(subject)), columns, (1, 2, 3, 4, 5))}")
    lost = sum(row.non_finite for row in rounds)
    if lost:
        parts.append(f"<p>{lost:,} candidates had a loss that was infinite or not a number.</p>")
    return "\n".join(parts)


def _shares(subject: Subject) -> Iterator[tuple[str, ...]]:
    """A row for each worker, and one for the search's own process, which has done the rest."""
    shares, units = subject.stored.manifest.shares, subject.rounds[-1].candidates
    own = curves.own_units(subject)
    yield "the search's own process", f"{own:,}", f"{own / units:.1%}", "", "", ""
    for number, each in enumerate(shares[:MOST_WORKERS], 1):
        left = "" if each.lost is None else f"lost at {each.lost:.2f} s"
        done, busy, joined = f"{each.units:,}", f"{each.busy:.2f} s", f"{each.joined:.2f} s"
        yield f"worker {number}, {each.host}", done, f"{each.units / units:.1%}", busy, joined, left
    if rest := shares[MOST_WORKERS:]:
        theirs, spent = sum(each.units for each in rest), sum(each.busy for each in rest)
        yield f"{len(rest):,} others", f"{theirs:,}", f"{theirs / units:.1%}", f"{spent:.2f} s", "", ""


def _workers(count: int) -> str:
    return "none: in its own process" if count == 0 else f"{count:,}"


def settings(subject: Subject) -> str:
    """All settings, as the file that `run --config` takes."""
    config = subject.config
    own = strategies.settings_of(config.strategy.name, config.settings)
    text = toml.to_toml(config, own)
    return f"<details><summary>All settings</summary><pre>{escape(text)}</pre></details>"


def repeat(subject: Subject) -> str:
    """The commands that make the run again, and that check that it comes out the same."""
    if not subject.stored.manifest.data:
        return '<p class="soft">It was started from Python, with a function that is not recorded.</p>'
    if subject.config.data.source == IN_MEMORY:
        return '<p class="soft">It was started from Python, with arrays that are not recorded.</p>'
    name = shlex.quote(subject.name)
    config = commands.shortest(subject.config, subject.stored.manifest.fingerprint)
    text = f"{commands.command(config)}\ndistsearch verify {name} --rounds all\n"
    return f"<pre>{escape(text)}</pre>"


def typed(value: Any) -> str:
    """A setting's value in a table; a dash if it is not set."""
    if value is None:
        return "–"
    return f"{value:.6g}" if isinstance(value, float) else shown(value)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:MOST_NAMES])
    return f"{len(names):,}: {shown}{', …' if len(names) > MOST_NAMES else ''}"


def differing(subjects: Sequence[Subject]) -> list[str]:
    """The settings that all of several runs have, and in which they differ, as section.name."""
    flat = [flattened(each.config) for each in subjects]
    shared = [name for name in flat[0] if all(name in each for each in flat) and not name.startswith("output.")]
    return [name for name in shared if len({msgspec.json.encode(each[name]) for each in flat}) > 1]


def flag_of(name: str) -> str:
    """What a setting, given as section.name, is called on the command line."""
    flags = {f"{section}.{setting.name}": setting.flag for section, setting in configs.options()}
    return flags.get(name, name.partition(".")[2].replace("_", "-"))


def flattened(config: RunConfig) -> dict[str, Any]:
    """All settings by section.name."""
    document: dict[str, dict[str, Any]] = msgspec.to_builtins(config)
    return {f"{section}.{name}": value for section, group in document.items() for name, value in group.items()}
