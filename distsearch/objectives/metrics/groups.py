"""gap(COLUMN): how differently the groups of a column are treated."""

import re

import numpy as np

from distsearch.objectives.metrics.base import Outcome

_GAP = re.compile(r"gap\s*\(\s*(?P<column>.*?)\s*\)")


def column_in(name: str) -> str | None:
    """The column in gap(COLUMN); None for any other name."""
    found = _GAP.fullmatch(name.strip())
    return found["column"].strip("'\"") if found else None


def gap(outcome: Outcome, column: str) -> float:
    """The largest difference between two groups in the share of their examples that a class is predicted for.

    Of two classes it is the same for either: the difference between the largest and the smallest rate of positive
    predictions, known as demographic parity (Dwork et al. 2012, arXiv 1104.3913).
    """
    groups = outcome.groups[column]
    sizes = np.bincount(groups)
    there = sizes > 0
    gaps = []
    for number in range(outcome.outputs.shape[1]):
        rates = np.bincount(groups[outcome.predicted == number], minlength=len(sizes))[there] / sizes[there]
        gaps.append(rates.max() - rates.min())
    return float(max(gaps))
