"""Which sweeps the driver does itself: those that it can finish before the workers' answers would arrive.

A Ray call takes about a millisecond, and many rounds take less. This is measured, not guessed: the first sweeps go to
the workers, which report how long the work alone took. Nothing here reads a clock, and the result of a sweep is the
same whoever does it.
"""

from collections import deque
from statistics import median

LATEST = 5  # sweeps to consider
RECHECK = 256  # sweeps until one goes to the workers again, to check whether they are still slower
LONGEST = 0.02  # seconds that the driver may spend on a sweep, during which it does not hear its workers


class Shortcut:
    """How long sweeps of one kind take, in seconds: here, in the driver, and there, on the workers."""

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
        """Record a sweep done here."""
        self._here.append(seconds)

    def answered(self, seconds: float, worked: float) -> None:
        """Record a sweep done by the workers, which took them `worked` seconds of work in total."""
        self._there.append(seconds)
        self._here.append(worked)
