"""How far a search has got, in a line: the same words in a terminal, a log and a notebook."""

from collections.abc import Mapping

from distsearch.config.sections import StopConfig
from distsearch.runs.history import RoundRecord
from distsearch.search.limits import Limits
from distsearch.search.observers import PartOfRound
from distsearch.text import duration, rounds_text

SEPARATOR = " · "  # between the parts of a line
REFRESH_SECONDS = 0.1  # between two updates of a line that is overwritten
LINE_SECONDS = 5.0  # between two lines that stay
LINE_SECONDS_WITHIN = 60.0  # the same within a round
RATE_SECONDS = 1.0  # over which the rate in a line that is overwritten is averaged at least


class Status:
    """What there is to say of a search's rounds, given when it ends, and whether it calls a function of the user's."""

    def __init__(self, stop: StopConfig, of_function: bool = False) -> None:
        self._stop = stop
        self._counted = "calls" if of_function else "passes"
        self._rounds = Limits(stop).rounds
        self._next = 0  # the number of the round that comes next
        self._accuracy: float | None = None
        self._test = False
        self._metrics: dict[str, float] = {}
        self._before = (0.0, 0.0)  # passes and seconds from which on the rate is averaged

    def begin(self, number: int) -> None:
        """Take note of the number of the round that comes next."""
        self._next = number

    def hear(self, row: RoundRecord) -> None:
        """Take note of a round, and of what was measured in it."""
        self._next = row.round + 1
        if row.accuracy is not None:
            self._test = row.test_accuracy is not None
            self._accuracy = row.test_accuracy if self._test else row.accuracy
        if row.metrics is not None:
            self._metrics = reported(row.metrics)

    def line(self, row: RoundRecord, workers: int) -> str:
        """How far the search has got with this round, in a line."""
        passes, seconds = self._before
        rate = (row.passes - passes) / max(row.seconds - seconds, 1e-9)
        parts = [reached_in_words(row)]
        if self._accuracy is not None:
            parts.append(f"{'test ' if self._test else ''}accuracy {self._accuracy:.1%}")
        parts += [f"{name} {value:.3g}" for name, value in self._metrics.items()]
        if row.non_finite:
            parts.append(f"{row.non_finite} not finite")
        parts += [f"step {row.sigma:.2g}", f"{short(rate)} {self._counted}/s", workers_text(workers)]
        return SEPARATOR.join(parts)

    def restart_rate(self, row: RoundRecord, at_least: float = 0.0) -> None:
        """Average the rate from this round on, if it was averaged over that many seconds at least."""
        if row.seconds - self._before[1] >= at_least:
            self._before = row.passes, row.seconds

    def share(self, row: RoundRecord) -> float:
        """The share used of the nearest limit, from 0 to 1."""
        return self._share(row.round + 1, row.seconds)

    def line_within(self, part: PartOfRound) -> str:
        """The round that is under way in a line."""
        left = "" if part.left is None else f" · about {duration(part.left)} left"
        done = f"{100 * part.share:.3g}% of the"
        return f"{rounds_text(self._next)} and {done} next{left}" if self._next else f"{done} first round{left}"

    def share_within(self, part: PartOfRound) -> float:
        """The share used of the nearest limit within a round, from 0 to 1."""
        return self._share(self._next + part.share, part.seconds)

    def _share(self, rounds: float, seconds: float) -> float:
        of_rounds = rounds / self._rounds if self._rounds else 0.0
        of_seconds = seconds / self._stop.seconds if self._stop.seconds else 0.0
        return min(1.0, max(of_rounds, of_seconds))


def reached_in_words(row: RoundRecord) -> str:
    """The beginning of every line."""
    return f"{rounds_text(row.round + 1)} · loss {row.best_loss:.4g}"


def reported(metrics: Mapping[str, float]) -> dict[str, float]:
    """Of the metrics that were measured those on the test examples, if there are any, by their names in words."""
    on_test = {name.replace("test-", "test "): metrics[name] for name in metrics if name.startswith("test-")}
    return on_test or dict(metrics)


def fitting(line: str, width: int) -> str:
    """The parts of a line that there is room for, from the first on, in so many characters."""
    parts = line.split(SEPARATOR)
    while len(parts) > 1 and len(SEPARATOR.join(parts)) > width:
        parts.pop()
    return SEPARATOR.join(parts)


def short(number: float) -> str:
    """A number in about four characters: 950, 12.3k, 4.5M."""
    for size, suffix in ((1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g}{suffix}"
    return f"{number:.3g}"


def workers_text(workers: int) -> str:
    """How many workers there are, in words."""
    return "in this process" if workers == 0 else f"{workers} worker{'s' if workers > 1 else ''}"
