"""A film of the boundary: what the network made of the plane of two features after some of the rounds."""

import io
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distsearch.errors import RunError
from distsearch.machine import one_thread
from distsearch.objectives.model import Model
from distsearch.reports import curves
from distsearch.reports.boundary import Plane, chosen
from distsearch.reports.drawing import MOST_KEYS, draw_boundary, styled, write_numbers
from distsearch.reports.figures import GREY, Boundary, Curves, colour, number_text
from distsearch.reports.packages import imported
from distsearch.reports.subjects import Subject
from distsearch.runs.history import RoundRecord
from distsearch.search.retrieval import own_assembly
from distsearch.search.verification import Replay
from distsearch.text import rounds_text

FRAMES = 48
FRAMES_PER_SECOND = 8
LAST_STANDS = 2.0  # seconds
SIZE, DPI = (7.2, 4.2), 90
KEY_WIDTH, KEY_DOT = 90, 6  # characters that fit below both axes, and those that a dot takes
GRID = 120, 90


class Moment(NamedTuple):
    """A round that is done: its record, and the best weights after it, (n,)."""

    record: RoundRecord
    weights: NDArray[np.float32]


def moments(subject: Subject, most: int) -> Iterator[Moment]:
    """Some of a run's rounds, denser at the beginning, where most happens; made again from its records.

    A strategy whose decisions are not all recorded evaluates its rounds again.
    """
    again = Replay(subject.stored)
    picked = picked_rounds(len(subject.rounds), most)
    with ExitStack() as opened:
        pool = None
        if again.plan.strategy.sums:
            pool = opened.enter_context(own_assembly(subject.stored, 0, subject.handed).pool())
            opened.enter_context(one_thread())
        for step in again.steps(pool):
            if step.before.round in picked:
                yield Moment(step.entry.record, step.outcome.after.best.weights)


def picked_rounds(rounds: int, most: int) -> set[int]:
    """At most that many of range(rounds), the first and the last among them, at growing distances."""
    if rounds <= most:
        return set(range(rounds))
    growing = np.geomspace(1, rounds, most).round().astype(int) - 1
    return {0, rounds - 1, *growing.tolist()}


def animated(subject: Subject, features: tuple[str, ...] = ()) -> bytes:
    """The film as a GIF. RunError if the run has fewer than two features."""
    if len(subject.model.schema.inputs) < 2:
        raise RunError(f"{subject.name} has one feature, which has no boundary to animate: use --what boundary")
    pair = chosen(subject, features)
    plane = Plane(subject.model, subject.dataset.train, pair, GRID)
    film = _Film(curves.losses([subject], curves.ROUNDS))
    model = subject.model
    for moment in moments(subject, FRAMES):
        seen = plane.seen(Model(model.config, model.schema, moment.weights, model.network), "")
        film.add(seen if seen.classes is not None else _within_targets(seen), moment.record)
    return _gif(film.pictures)


def _within_targets(seen: Boundary) -> Boundary:
    """The plane with no number beyond the examples' own, so that a colour means the same in all pictures."""
    return replace(seen, values=seen.values.clip(seen.targets.min(), seen.targets.max()))


class _Film:
    """Pictures of the boundary, each beside how far the loss has come."""

    def __init__(self, losses: Curves) -> None:
        self.pictures: list[Any] = []
        self._losses = losses
        with styled():
            figure = imported("matplotlib.figure").Figure(figsize=SIZE, dpi=DPI, layout="constrained")
            self._canvas = imported("matplotlib.backends.backend_agg").FigureCanvasAgg(figure)
            self._axes = figure.subplots(1, 2, width_ratios=(3, 2))

    def add(self, boundary: Boundary, record: RoundRecord) -> None:
        """Add a picture of a round that is done."""
        pillow = imported("PIL.Image")
        left, right = self._axes
        with styled():
            for axes in self._axes:
                axes.clear()
            draw_boundary(boundary, left, key=not self.pictures and boundary.classes is None)  # numbers' stays
            if not self.pictures and boundary.classes is not None:
                self._add_key(left)
            left.set_title(rounds_text(record.round + 1))
            self._draw_progress(record, right)
            self._canvas.draw()
            self._canvas.figure.set_layout_engine("none")  # what the first picture was laid out as stays
        self.pictures.append(pillow.fromarray(np.asarray(self._canvas.buffer_rgba())[..., :3].copy()))

    def _add_key(self, left: Any) -> None:
        """Add what the colours of the classes mean, below both axes, where they are not written beside the examples."""
        dots, names = left.get_legend_handles_labels()
        if len(names) <= MOST_KEYS:
            columns = max(1, KEY_WIDTH // (max(map(len, names)) + KEY_DOT))
            key = {"loc": "outside lower center", "ncols": columns, "frameon": False, "handletextpad": 0.2}
            self._canvas.figure.legend(dots, names, **key)

    def _draw_progress(self, record: RoundRecord, axes: Any) -> None:
        best = self._losses.lines[-1]
        done = best.x <= record.round + 1
        axes.plot(best.x, best.y, color="#d9dde3", linewidth=1.5)
        axes.plot(best.x[done], best.y[done], color=colour(0), linewidth=2)
        axes.plot(best.x[done][-1:], best.y[done][-1:], "o", color=colour(0), markersize=6)
        write_numbers(self._losses, axes)
        axes.set_xlabel("rounds")
        axes.set_ylabel("best loss")
        what = "accepted" if record.accepted else "reverted"
        axes.set_title(what, color=colour(2) if record.accepted else GREY)
        loss = f"loss {number_text(record.best_loss)}"
        axes.text(0.97, 0.95, loss, transform=axes.transAxes, ha="right", va="top", fontsize=11)


def _gif(pictures: list[Any]) -> bytes:
    """The pictures one after the other, for ever; the last stands for a while."""
    palette = pictures[-1].quantize(256)
    frames = [picture.quantize(256, palette=palette, dither=0) for picture in pictures]
    shown = [1000 // FRAMES_PER_SECOND] * (len(frames) - 1) + [int(1000 * LAST_STANDS)]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=shown, loop=0)
    return file.getvalue()
