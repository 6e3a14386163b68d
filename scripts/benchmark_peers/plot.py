"""The plot: loss or error over time, one panel per task, each search labelled at its end."""

from collections.abc import Sequence
from math import ceil, inf
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from bars import library_colour
from outcomes import Outcome
from report import thinned
from tasks import TASKS, Task

mpl.use("Agg")
import matplotlib.pyplot as plt

LABEL_GAP = 0.062  # of a panel's height, at least, between two labels
COLUMNS = 2


def draw(file: Path, outcomes: Sequence[Outcome]) -> None:
    """Draw each entry's search of median time, each library in its colour; ours are dashed if in this process."""
    tasks = [task for task in TASKS.values() if any(_has_curve(each, task) for each in outcomes)]
    if not tasks:
        return
    rows = ceil(len(tasks) / COLUMNS)
    figure, axes = plt.subplots(rows, COLUMNS, figsize=(14, 4.6 * rows), squeeze=False)
    for task, panel in zip(tasks, axes.flat, strict=False):
        _panel(panel, task, [each for each in outcomes if _has_curve(each, task)])
    for panel in axes.flat[len(tasks) :]:
        panel.set_visible(False)
    figure.tight_layout(h_pad=2.5, w_pad=2)
    figure.savefig(file)
    plt.close(figure)


def _has_curve(outcome: Outcome, task: Task) -> bool:
    return outcome.entry.task == task.name and len(outcome.points) > 1 and task.target != "candidates a second"


def _panel(panel: Any, task: Task, outcomes: Sequence[Outcome]) -> None:
    names = list(dict.fromkeys(each.entry.name for each in outcomes))
    panel.set(xscale="log", yscale="log")
    ends = []
    for name in names:
        chosen = _median_search([each for each in outcomes if each.entry.name == name])
        colour, width, style = _look(chosen)
        x, y = _curve(chosen, task)
        panel.plot(x, y, color=colour, linewidth=width, linestyle=style, zorder=3 if chosen.entry.ours else 2)
        time = "" if chosen.seconds is None else f", {chosen.seconds:.2g} s"
        ends.append((name + time, x[-1], y[-1], colour))
    target = task.loss if task.accuracy is None else 1 - task.accuracy
    panel.axhline(target, color="black", linewidth=0.8, linestyle=":")
    panel.set_title(f"{task.name}: {task.title}", loc="left", fontsize=11, fontweight="bold")
    panel.set_xlabel("seconds")
    panel.set_ylabel("training loss" if task.accuracy is None else "test error")
    panel.yaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    panel.yaxis.set_minor_formatter(mpl.ticker.NullFormatter())
    panel.xaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    panel.spines[["top", "right"]].set_visible(False)
    panel.annotate(task.target, (0.01, target), xycoords=("axes fraction", "data"), va="bottom", fontsize=8)
    _label(panel, ends)


def _curve(outcome: Outcome, task: Task) -> tuple[Any, Any]:
    """The best so far at each time: losses, or errors on the test examples."""
    points = np.array(thinned(outcome.points))
    values = points[:, 2] if task.accuracy is None else 1 - points[:, 2]
    return np.maximum(points[:, 0], 1e-3), np.maximum(np.minimum.accumulate(values), 1e-4)


def _median_search(outcomes: Sequence[Outcome]) -> Outcome:
    ordered = sorted(outcomes, key=lambda each: inf if each.seconds is None else each.seconds)
    return ordered[len(ordered) // 2]


def _look(outcome: Outcome) -> tuple[str, float, Any]:
    colour = library_colour(outcome.entry.name)
    if outcome.entry.ours:
        return colour, 2.2, "-" if outcome.entry.settings["workers"] else "--"
    return colour, 1.4, "-" if outcome.entry.peer else (0, (4, 2))


def _label(panel: Any, ends: Sequence[tuple[str, float, float, str]]) -> None:
    """Names beside the panel, in the order of the curves' ends, spread apart, with a thin line to each end.

    Among those that end at the same height, at the target, the quickest is lowest, so that the lines do not cross.
    """
    to_axes = panel.transAxes.inverted()
    heights = [float(to_axes.transform(panel.transData.transform((x, y)))[1]) for _, x, y, _ in ends]
    order = sorted(range(len(ends)), key=lambda each: (round(heights[each] / LABEL_GAP), ends[each][1]))
    places = np.array([heights[each] for each in order])
    for _ in range(200):  # push neighbours apart until all have a gap
        close = np.diff(places) < LABEL_GAP - 1e-6
        if not close.any():
            break
        for index in np.flatnonzero(close):
            move = (LABEL_GAP - (places[index + 1] - places[index])) / 2
            places[index] -= move
            places[index + 1] += move
    places += max(0.0, -places[0])
    for place, index in zip(places, order, strict=True):
        name, x, y, colour = ends[index]
        panel.annotate(
            name,
            (x, y),
            xytext=(1.02, place),
            textcoords="axes fraction",
            color=colour,
            fontsize=8.5,
            va="center",
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.5, "alpha": 0.5, "shrinkB": 0},
            annotation_clip=False,
        )
