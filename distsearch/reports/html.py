"""Pieces of a page: tables, and figures as the data that the page's own script draws."""

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from distsearch.reports.figures import COLOURS, Bars, Boundary, Confusion, Curves, Figure, Line, number_text
from distsearch.reports.judgements import per_class

LEVELS = 99  # that numbers on a plane are rounded to
MOST_CLASSES = 40  # in a table of confusion
NOTHING = ("–", "")  # in a cell
BROWSER = files("distsearch.reports").joinpath("browser")
SCRIPTS = ("elements.js", "axes.js", "chart.js", "plane.js", "page.js")  # in this order
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"


def page(title: str, body: Iterable[str]) -> str:
    """A whole page that needs nothing beside itself."""
    style = BROWSER.joinpath("page.css").read_text("utf-8")
    script = "\n".join(BROWSER.joinpath(name).read_text("utf-8") for name in SCRIPTS)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<link rel="icon" href="data:,">\n'
        f"<style>\n{style}</style>\n</head>\n<body>\n"
        f'<header><h1>{escape(title)}</h1><button id="theme" type="button">dark / light</button></header>\n'
        "<noscript><p>The curves of this page are drawn by its own JavaScript, which is switched off.</p></noscript>\n"
        f"{chr(10).join(body)}\n<script>\n{script}</script>\n</body>\n</html>\n"
    )


def figures(parts: Iterable[str]) -> str:
    """Figures side by side, where there is room."""
    inside = "\n".join(parts)
    return f'<div class="figures">\n{inside}\n</div>' if inside else ""


def figure(shown: Figure) -> str:
    """A figure."""
    match shown:
        case Curves():
            heading = f'<p class="soft">{escape(shown.heading)}</p>' if shown.heading else ""
            return _figure(shown.title, heading + _plot(_curves(shown)), shown.note)
        case Bars():
            return _figure(shown.title, _bars(shown), shown.note)
        case Confusion():
            return _figure(shown.title, _confusion(shown), shown.note)
        case Boundary():
            return _figure(shown.title, _key(shown) + _plot(_plane(shown)), shown.note)


def table(rows: Sequence[Sequence[object]], heads: Sequence[str] = (), numbers: Sequence[int] = ()) -> str:
    """A table; the columns with these numbers hold numbers."""

    def cells(row: Sequence[object], kind: str) -> str:
        marks = (' class="number"' if place in numbers else "" for place in range(len(row)))
        return "".join(f"<{kind}{mark}>{escape(str(each))}</{kind}>" for each, mark in zip(row, marks, strict=True))

    head = f"<tr>{cells(heads, 'th')}</tr>" if heads else ""
    body = "\n".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    return f'<div class="scroll"><table>{head}{body}</table></div>'


def filled_table(rows: Sequence[Sequence[str]], heads: Sequence[str], numbers: Sequence[int]) -> str:
    """A table without the columns in which no row has anything."""
    kept = [place for place in range(len(heads)) if any(row[place] not in NOTHING for row in rows)]
    return table(
        [[row[place] for place in kept] for row in rows],
        [heads[place] for place in kept],
        [now for now, place in enumerate(kept) if place in numbers],
    )


def definitions(pairs: Iterable[tuple[str, object]]) -> str:
    """A table of names and values."""
    rows = (f'<tr><th>{escape(name)}</th><td class="long">{escape(str(value))}</td></tr>' for name, value in pairs)
    return f'<div class="scroll"><table>{"".join(rows)}</table></div>'


def cards(pairs: Iterable[tuple[str, str]]) -> str:
    """The figures that matter most."""
    inside = "".join(
        f'<div class="card"><span class="soft">{escape(name)}</span><b>{escape(value)}</b></div>'
        for name, value in pairs
    )
    return f'<div class="cards">{inside}</div>'


def classes_figure(shown: Confusion) -> str:
    """Precision, recall and F1 of each class."""
    rows = [
        (name, f"{count:,}", *("–" if value is None else f"{value:.1%}" for value in values))
        for name, (count, *values) in zip(shown.classes, per_class(shown.counts), strict=True)
    ]
    body = table(rows, ("class", "examples", "precision", "recall", "F1"), (1, 2, 3, 4))
    return _figure("Each class", body, "")


def _figure(title: str, body: str, note: str) -> str:
    caption = f"<figcaption>{escape(note)}</figcaption>" if note else ""
    return f"<figure><h3>{escape(title)}</h3>{body}{caption}</figure>"


def _plot(data: dict[str, Any]) -> str:
    text = msgspec.json.encode(data).decode().replace("<", "\\u003c")
    button = '<button class="all" type="button">show all</button>'
    return f'<div class="plot"><div class="tip"></div>{button}<script type="application/json">{text}</script></div>'


def _curves(shown: Curves) -> dict[str, Any]:
    lines = [_line(each) for each in shown.lines if len(each.x)]
    return {
        "kind": "curves",
        "title": shown.title,
        "x_label": shown.x_label,
        "y_label": shown.y_label,
        "lines": lines,
        "logarithmic": shown.logarithmic,
        "percent": shown.percent,
        "from_zero": shown.from_zero,
        "marks": shown.marks,
    }


def _line(each: Line) -> dict[str, Any]:
    document: dict[str, Any] = {"name": each.name, "colour": each.colour, "style": each.style}
    for name in ("x", "y", "low", "high"):
        if (values := getattr(each, name)) is not None:
            document[name] = _rounded(values)
    return document


def _rounded(values: NDArray[np.float64]) -> list[float]:
    return [float(f"{value:.6g}") for value in values]


def _plane(shown: Boundary) -> dict[str, Any]:
    values, targets = shown.values.ravel(), shown.targets
    if shown.classes is None:
        low, high = shown.span
        values, targets = ((each - low) / ((high - low) or 1.0) * LEVELS for each in (values, targets))
    return {
        "kind": "plane",
        "x_label": shown.x_label,
        "y_label": shown.y_label,
        "rows": shown.values.shape[0],
        "columns": shown.values.shape[1],
        "values": values.round().astype(int).tolist(),
        "certainty": (shown.certainty.ravel() * 9).round().astype(int).tolist(),
        "x": [float(shown.x[0]), float(shown.x[-1])],
        "y": [float(shown.y[0]), float(shown.y[-1])],
        "points": [_rounded(point) for point in shown.points],
        "targets": targets.round().astype(int).tolist(),
        "classes": shown.classes,
    }


def _key(shown: Boundary) -> str:
    """What the colours stand for; empty where the names are in the regions, as there are more of them than colours."""
    if len(shown.classes or ()) > len(COLOURS):
        return ""
    names = enumerate(map(number_text, shown.span) if shown.classes is None else shown.classes)
    keys = (
        f'<span class="key" style="background:var(--c{each % len(COLOURS)})"></span>{escape(name)}'
        for each, name in names
    )
    return f'<p class="soft">{escape(shown.number)} {"".join(keys)}</p>'


def _bars(shown: Bars) -> str:
    most = max(*shown.values, 1e-12)
    rows = (
        f'<span title="{escape(name)}">{escape(name)}</span><i style="width:{max(0.0, value) / most:.1%}"></i>'
        f"<span>{number_text(value)}</span>"
        for name, value in zip(shown.names, shown.values, strict=True)
    )
    return f'<p class="soft">{escape(shown.x_label)}</p><div class="bars">{"".join(rows)}</div>'


def _confusion(shown: Confusion) -> str:
    if len(shown.classes) > MOST_CLASSES:
        return f'<p class="soft">{len(shown.classes):,} classes: too many for a table.</p>'
    names = [escape(name) for name in shown.classes]
    heads = "".join(f'<th title="{name}">{name}</th>' for name in names)
    head = f'<tr><th class="row">true \\ predicted</th>{heads}</tr>'
    rows = []
    for number, (name, counts) in enumerate(zip(names, shown.counts, strict=True)):
        total = max(1, int(counts.sum()))
        cells = "".join(_cell(int(count), int(count) / total, number == other) for other, count in enumerate(counts))
        rows.append(f'<tr><th class="row" title="{name}">{name}</th>{cells}</tr>')
    return f'<div class="scroll"><table class="confusion">{head}{"".join(rows)}</table></div>'


def _cell(count: int, share: float, right: bool) -> str:
    if not count:
        return "<td></td>"
    ground = f"color-mix(in srgb, var(--{'good' if right else 'bad'}) {15 + 55 * share:.0f}%, var(--panel))"
    return f'<td style="background:{ground}" title="{share:.1%}">{count:,}</td>'
