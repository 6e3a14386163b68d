"""What a run's history shows: curves over rounds, forward passes or seconds."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from distsearch import strategies
from distsearch.errors import RunError
from distsearch.reports.figures import NEUTRAL, Curves, Line, Style, line, number_text, scaled, thinned
from distsearch.reports.subjects import Group, Subject, column, groups
from distsearch.runs.history import RoundRecord

ROUNDS, PASSES, SECONDS = "rounds", "passes", "seconds"
AXES = (ROUNDS, PASSES, SECONDS)
GRID = 400  # places at which the runs of a band are compared
MOST_DOTS = 1500
MOST_NAMED = 4  # workers in a sentence
SPEED_PIECES = 40  # of a run, whose speed is averaged each

Array = NDArray[np.float64]


def axis_for(grouped: Sequence[Group]) -> str:
    """The axis on which runs are compared fairly: rounds of one strategy, passes of several."""
    return ROUNDS if len(grouped) == 1 else PASSES


def axis_label(by: str, subjects: Sequence[Subject]) -> str:
    """What an axis shows of these runs, with its unit."""
    calls, passes = "calls of the function", "forward passes over the training examples"
    return {ROUNDS: "rounds", PASSES: calls if _are_of_functions(subjects) else passes, SECONDS: "time [s]"}[by]


def _are_of_functions(subjects: Sequence[Subject]) -> bool:
    return not any(each.stored.manifest.data for each in subjects)


def losses(subjects: Sequence[Subject], by: str = "") -> Curves:
    """The lowest loss so far; for a single run also its center's."""
    grouped = groups(subjects)
    by = by or axis_for(grouped)
    lines = [_of_group(group, number, by, "best_loss") for number, group in enumerate(grouped)]
    if len(subjects) == 1 and (center := _center(subjects[0], by)) is not None:
        lines = [center, replace(lines[0], name="best")]
    if not any(len(each.x) for each in lines):
        raise RunError(f"{subjects[0].name} has not measured a loss yet: there is nothing to show")
    return _curves("Best loss", "loss", lines, by, grouped)


def accuracies(subjects: Sequence[Subject], by: str = "") -> Curves:
    """The accuracy on the training and on the test examples, where it was measured."""
    grouped = groups(subjects)
    by = by or axis_for(grouped)
    for subject in subjects:
        if not subject.stored.manifest.data.get("classes"):
            raise RunError(f"{subject.name} has no accuracy, as it learns no classes: use --what loss")
        if not np.isfinite(_track(subject, by, "accuracy")[1]).any():
            raise RunError(f"{subject.name} has not measured its accuracy yet: use --what loss")
    lines: list[Line] = []
    for number, group in enumerate(grouped):
        training = _of_group(group, number, by, "accuracy")
        test = _of_group(group, number, by, "test_accuracy")
        alone = len(grouped) == 1
        if not len(test.x):
            lines.append(replace(training, name="training" if alone else group.name))
            continue
        lines += [
            replace(training, name="training" if alone else "", style="dashed", low=None, high=None),
            replace(test, name="test" if alone else f"{group.name}, test"),
        ]
    return _curves("Accuracy", "share of examples that are right", lines, by, grouped, percent=True)


def steps(subjects: Sequence[Subject], by: str = "") -> Curves:
    """The step size σ of every round."""
    grouped = groups(subjects)
    by = by or axis_for(grouped)
    lines = [_of_group(group, number, by, "sigma") for number, group in enumerate(grouped)]
    if len(lines) == 1:
        lines = [replace(lines[0], name="")]
    title = "Step size"
    return _curves(title, "standard deviation of the noise, σ", lines, by, grouped)


def decisions(subjects: Sequence[Subject], by: str = "") -> Curves:
    """Every round's decision: its lowest candidate became the best, or the search went back to what it had."""
    if len(subjects) > 1:
        return _shares_accepted(subjects, by)
    subject, by = subjects[0], by or ROUNDS
    rounds = subject.rounds
    accepted = np.array([row.accepted for row in rounds])
    x = column_by(rounds, by)
    told, losses = _tried(subject)
    lines = [line("best", x, column(rounds, "best_loss"), colour=0, style="faint")]
    for name, chosen, colour in (("reverted", ~accepted, NEUTRAL), ("accepted", accepted, 2)):
        kept = np.flatnonzero(chosen & np.isfinite(losses))
        kept = kept[thinned(len(kept), MOST_DOTS)]
        if len(kept):
            lines.append(Line(name, x[kept], losses[kept], colour, "dots"))
    title = f"{subject.name}: accepted {accepted.sum():,} of {len(rounds):,} rounds"
    return Curves(title, axis_label(by, subjects), "loss", *scaled(lines), note=told)


def timeline(subjects: Sequence[Subject], by: str = "") -> Curves:
    """How fast the run was at each moment, and when workers came, went or had their work done again."""
    grouped = groups(subjects)
    lines = []
    for number, group in enumerate(grouped):
        name = group.name if len(grouped) > 1 else ""
        speeds = [_speeds(each.rounds) for each in group.members]
        lines.append(_banded(name, number, speeds, style="steps", to_last=False))
    marks = _marks(subjects[0]) if len(subjects) == 1 else ()
    note = _who_computed(subjects[0]) if len(subjects) == 1 else _bands_note(grouped)
    y_label = f"{'calls of the function' if _are_of_functions(subjects) else 'forward passes'} per second"
    time = axis_label(SECONDS, subjects)
    return Curves(of_one("Speed", grouped), time, y_label, tuple(lines), from_zero=True, marks=marks, note=note)


def own_units(subject: Subject) -> int:
    """The units of the run's rounds that no worker has done: those of the search's own process."""
    done = sum(each.units for each in subject.stored.manifest.shares)
    return max(0, subject.rounds[-1].candidates - done)


def _who_computed(subject: Subject) -> str:
    """A sentence on who has computed how much."""
    shares = subject.stored.manifest.shares
    if not shares:
        return "" if subject.stored.manifest.events else "Computed in the search's own process."
    units = subject.rounds[-1].candidates
    parts = [f"its own process {own_units(subject) / units:.0%}"]
    ranked = sorted(enumerate(shares, 1), key=lambda each: -each[1].units)
    for number, each in ranked[:MOST_NAMED]:
        lost = "" if each.lost is None else f", lost at {each.lost:.3g} s"
        parts.append(f"worker {number} ({each.host}{lost}) {each.units / units:.0%}")
    if rest := ranked[MOST_NAMED:]:
        parts.append(f"{len(rest):,} others {sum(each.units for _, each in rest) / units:.0%}")
    return f"Computed by {', '.join(parts)}."


def column_by(rounds: Sequence[RoundRecord], by: str) -> Array:
    """Where rounds lie on an axis: after how many rounds, passes or seconds, (rounds,)."""
    return column(rounds, "round") + 1 if by == ROUNDS else column(rounds, by)


def of_one(title: str, grouped: Sequence[Group]) -> str:
    """The title with the name of the run, if it is of one."""
    return f"{title} of {grouped[0].name}" if len(grouped) == 1 else title


def _curves(
    title: str,
    y_label: str,
    lines: Sequence[Line],
    by: str,
    grouped: Sequence[Group],
    *,
    percent: bool = False,
) -> Curves:
    shown, logarithmic = (tuple(lines), False) if percent else scaled(lines)
    label = axis_label(by, [each for group in grouped for each in group.members])
    return Curves(of_one(title, grouped), label, y_label, shown, logarithmic, percent, note=_bands_note(grouped))


def _bands_note(grouped: Sequence[Group]) -> str:
    """What lines and bands are, if there are any bands."""
    sizes = {len(group.members) for group in grouped}
    seeds = "the seeds" if len(sizes) > 1 else f"{max(sizes)} seeds"
    return f"Lines are medians over {seeds}, bands their lowest and highest." if sizes != {1} else ""


def _of_group(group: Group, number: int, by: str, name: str) -> Line:
    """A figure of a run, or the median of several with their range."""
    return _banded(group.name, number, [_track(each, by, name) for each in group.members])


def _banded(
    name: str, number: int, tracks: Sequence[tuple[Array, Array]], style: Style = "line", to_last: bool = True
) -> Line:
    """A line through the points of a run, or through the medians of several runs, with their range.

    It reaches to the end of the last run, where the others stay what they were at theirs, or to that of the first.
    """
    if len(tracks) == 1:
        return line(name, *tracks[0], colour=number, style=style)
    measured = [(x[np.isfinite(y)], y[np.isfinite(y)]) for x, y in tracks]
    measured = [(x, y) for x, y in measured if len(x)]
    if not measured:
        return Line(name, np.zeros(0), np.zeros(0), number)
    ends = [x[-1] for x, _ in measured]
    first, last = max(x[0] for x, _ in measured), max(ends) if to_last else min(ends)
    grid = np.unique(np.linspace(first, max(first, last), GRID))
    held = np.array([y[np.searchsorted(x, grid, side="right") - 1] for x, y in measured])
    bands = {"low": held.min(axis=0), "high": held.max(axis=0)}
    return line(name, grid, np.median(held, axis=0), colour=number, style=style, **bands)


def _track(subject: Subject, by: str, name: str) -> tuple[Array, Array]:
    """Where the rounds lie on an axis, and a figure of each, (rounds,); accuracies end with the result's."""
    x, y = column_by(subject.rounds, by), column(subject.rounds, name)
    result = subject.stored.result
    if result is not None and name in ("accuracy", "test_accuracy") and not _is_measured(subject):
        y[-1] = np.nan if getattr(result, name) is None else getattr(result, name)
    return x, y


def _is_measured(subject: Subject) -> bool:
    """Whether the best is chosen by measuring; accuracies are then those of the weights that were measured."""
    config, examples = subject.config, subject.stored.manifest.examples
    sees_some = config.data.batch is not None and config.data.batch < examples
    others_choose = bool(config.data.validation_share) or bool(config.network.subject_to)
    return strategies.find(config.strategy.name).sums or sees_some or others_choose


def _center(subject: Subject, by: str) -> Line | None:
    """The center's loss, unless it is the best one's."""
    rounds = subject.rounds
    center, best = column(rounds, "center_loss"), column(rounds, "best_loss")
    if not np.isfinite(center).any() or np.all((center[1:] == best[:-1]) | ~np.isfinite(center[1:])):
        return None
    name = "on the round's batch" if not np.isfinite(best).all() else "center"
    return line(name, column_by(rounds, by), center, colour=NEUTRAL, style="faint")


def _tried(subject: Subject) -> tuple[str, Array]:
    """The loss by which each round may be judged, (rounds,), and what it is."""
    if _is_measured(subject):
        told = "Each dot is a round's center; a round is accepted if what was measured after it is the best so far."
        return told, column(subject.rounds, "center_loss")
    told = "Each dot is the lowest loss among a round's candidates, its center aside."
    return told, subject.lowest


def _shares_accepted(subjects: Sequence[Subject], by: str) -> Curves:
    grouped = groups(subjects)
    by = by or axis_for(grouped)
    lines = [
        _banded(group.name, number, [(column_by(each.rounds, by), _share_accepted(each)) for each in group.members])
        for number, group in enumerate(grouped)
    ]
    note = " ".join(["Of the rounds in the twentieth of the run that ends there.", _bands_note(grouped)]).rstrip()
    label = axis_label(by, subjects)
    return Curves("Accepted rounds", label, "share of rounds accepted", tuple(lines), percent=True, note=note)


def _share_accepted(subject: Subject) -> Array:
    """Of the rounds in the twentieth of the run that ends with each, how many were accepted, (rounds,)."""
    accepted = column(subject.rounds, "accepted")
    window = max(1, len(accepted) // 20)
    sums = np.cumsum(np.concatenate([np.zeros(1), accepted]))
    begin = np.maximum(np.arange(1, len(sums)) - window, 0)
    return (sums[1:] - sums[begin]) / (np.arange(1, len(sums)) - begin)


def _speeds(rounds: Sequence[RoundRecord]) -> tuple[Array, Array]:
    """Moments and the passes per second up to each, (pieces,), over equal parts of the time."""
    seconds = np.concatenate([np.zeros(1), column(rounds, SECONDS)])
    passes = np.concatenate([np.zeros(1), column(rounds, PASSES)])
    picked = np.unique(np.searchsorted(seconds, np.linspace(0, seconds[-1], min(SPEED_PIECES, len(rounds)) + 1)))
    picked = picked[picked < len(seconds)]
    spans = np.diff(seconds[picked])
    with np.errstate(divide="ignore", invalid="ignore"):
        return seconds[picked][1:], np.diff(passes[picked]) / spans


def _marks(subject: Subject) -> tuple[tuple[float, str], ...]:
    """When workers came and went, and when work was done again; what is done again within a moment is one mark."""
    marks: list[tuple[float, str]] = []
    moment = subject.rounds[-1].seconds / SPEED_PIECES
    before, again, since = 0, 0, -np.inf
    counted = 0  # what was done again since then
    for event in subject.stored.manifest.events:
        if event.workers != before:
            marks.append((event.seconds, _workers(event.workers, remain=event.workers < before)))
            since = -np.inf
        elif event.retried > again:
            if event.seconds - since > moment:
                since, counted = event.seconds, 0
            else:
                marks.pop()
            counted += event.retried - again
            marks.append((since, f"{number_text(counted)} done again"))
        before, again = event.workers, event.retried
    return tuple(marks)


def _workers(count: int, remain: bool) -> str:
    if not count:
        return "no workers"
    some = f"{count} worker{'s' * (count > 1)}"
    return f"only {some}" if remain else some


BUILDERS: dict[str, Callable[[Sequence[Subject], str], Curves]] = {
    "loss": losses,
    "accuracy": accuracies,
    "step": steps,
    "accepted": decisions,
    "timeline": timeline,
}
