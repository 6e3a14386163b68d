"""The figures there are, by name."""

from collections.abc import Callable, Sequence

from distsearch.errors import SettingError, unknown
from distsearch.reports import boundary, curves, judgements
from distsearch.reports.curves import AXES
from distsearch.reports.figures import Figure
from distsearch.reports.subjects import Subject

OF_MODELS: dict[str, Callable[[Sequence[Subject]], Figure]] = {
    "confusion": judgements.confusion,
    "weights": judgements.weights,
    "calibration": judgements.calibration,
    "residuals": judgements.residuals,
}
BOUNDARY = "boundary"
NAMES = (*curves.BUILDERS, BOUNDARY, *OF_MODELS)


def figure(what: str, subjects: Sequence[Subject], by: str = "", features: Sequence[str] = ()) -> Figure:
    """The figure with this name, of some runs. SettingError if there is none; RunError if it does not fit the runs."""
    if what not in NAMES:
        raise SettingError(f"--what: {unknown('figure', what, NAMES)}")
    if by and by not in AXES:
        raise SettingError(f"--by: {unknown('axis', by, AXES)}")
    if by and what not in curves.BUILDERS:
        raise SettingError(f"--by: --what {what} has no such axis; leave out --by")
    if features and what != BOUNDARY:
        raise SettingError(f"--features: they are the axes of a boundary; add --what {BOUNDARY}, got --what {what}")
    if what == BOUNDARY:
        return boundary.boundary(subjects, features)
    if what in OF_MODELS:
        return OF_MODELS[what](subjects)
    return curves.BUILDERS[what](subjects, by)
