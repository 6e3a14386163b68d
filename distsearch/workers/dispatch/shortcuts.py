"""Which sweeps the driver does by itself: those that are over here before the workers' answers would have come.

A call of Ray's takes a millisecond or so, and many a round less than that. It is measured, not guessed: the first
sweeps go to the workers, who tell how long the work alone took them. Nothing here reads a clock, and whoever does a
sweep, what comes of it is the same.
"""

from collections import deque
from statistics import median

LATEST = 5  # sweeps that are looked at
RECHECK = 256  # sweeps until one goes to the workers again, to see whether they are still slower
LONGEST = 0.02  # seconds that the driver may be busy with a sweep, and deaf to its workers


class Shortcut:
    """Sweeps of one sort: how long they take here and there, in seconds."""

    __slots__ = ("_asked", "_here", "_there")

    def __init__(self) -> None:
        self._here: deque[float] = deque(maxlen=LATEST)
        self._there: deque[float] = deque(maxlen=LATEST)
        self._asked = 0

    @property
    def here(self) -> float:
        """The usual seconds in this process."""
        return median(self._here)

    @property
    def there(self) -> float:
        """The usual seconds until the workers have answered."""
        return median(self._there)

    def taken(self) -> bool:
        """Whether the next sweep is to be done here."""
        if len(self._there) < LATEST:
            return False
        self._asked += 1
        return self._asked % RECHECK != 0 and self.here < min(LONGEST, self.there)

    def done(self, seconds: float) -> None:
        """A sweep was done here."""
        self._here.append(seconds)

    def answered(self, seconds: float, worked: float) -> None:
        """A sweep was done by the workers, which took them `worked` seconds of work in all."""
        self._there.append(seconds)
        self._here.append(worked)
