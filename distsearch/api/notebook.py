"""A result as a notebook shows it: its figures, and the best loss against the rounds."""

import math
from collections.abc import Sequence
from html import escape

WIDTH, HEIGHT, MARGIN = 420, 160, 8
MOST_POINTS = 400


def shown(lines: Sequence[tuple[str, str]], losses: Sequence[float]) -> str:
    """HTML of figures, by name, and a curve of losses round by round, which rise and fall on a logarithmic scale."""
    rows = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th><td style="text-align:left">{escape(text)}</td></tr>'
        for name, text in lines
    )
    return f"<div><table>{rows}</table>{_curve(losses)}</div>"


def _curve(losses: Sequence[float]) -> str:
    """The losses as a line, from the first finite one on; nothing if there are fewer than two."""
    finite = [(number, loss) for number, loss in enumerate(losses) if math.isfinite(loss)]
    step = -(-len(finite) // MOST_POINTS) or 1
    points = finite[::step] + finite[-1:]
    if len(finite) < 2:
        return ""
    scale = math.log10 if all(loss > 0 for _, loss in points) else float
    heights = [scale(loss) for _, loss in points]
    lowest, spread = min(heights), (max(heights) - min(heights)) or 1.0
    last = points[-1][0] or 1
    line = " ".join(
        f"{MARGIN + (WIDTH - 2 * MARGIN) * number / last:.1f},"
        f"{MARGIN + (HEIGHT - 2 * MARGIN) * (1 - (height - lowest) / spread):.1f}"
        for (number, _), height in zip(points, heights, strict=True)
    )
    label = f"best loss, {losses[finite[0][0]]:.4g} to {points[-1][1]:.4g}, by round"
    return (
        f'<svg role="img" aria-label="{label}" width="{WIDTH}" height="{HEIGHT + 20}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT + 20}"><polyline fill="none" stroke="currentColor" stroke-width="1.5" '
        f'points="{line}"/><text x="{MARGIN}" y="{HEIGHT + 14}" font-size="12" fill="currentColor">{label}</text></svg>'
    )
