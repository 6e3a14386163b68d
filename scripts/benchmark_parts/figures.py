"""A line of the report, and how its times are measured."""

import tempfile
from dataclasses import dataclass

from distsearch.config import from_flags
from distsearch.search import session
from distsearch.search.assembly import assemble

MICRO = 1e6


@dataclass(frozen=True)
class Figure:
    """One line of the report."""

    name: str
    measured: str
    yardstick: str
    ratio: float
    limit: float | None
    at_least: bool  # the limit is a floor; else a ceiling

    @property
    def bound(self) -> str:
        """The limit, as text."""
        return "" if self.limit is None else f"{'≥' if self.at_least else '≤'} {self.limit:g}"

    @property
    def verdict(self) -> str:
        """Whether the ratio is within its limit, if there is one."""
        if self.limit is None:
            return ""
        return "met" if (self.ratio >= self.limit if self.at_least else self.ratio <= self.limit) else "missed"


def run_seconds(**flags: object) -> float:
    """The seconds for a search in this process, including its run directory."""
    with tempfile.TemporaryDirectory() as folder:
        prepared = assemble(from_flags({"workers": 0, "runs": folder, **flags}))
        return session.run(prepared).result.seconds
