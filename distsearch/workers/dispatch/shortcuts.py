"""Which sweeps the driver does itself: those that it has done before the workers' answers would be there.

A message to a worker takes a part of a millisecond, a call of Ray several, and many rounds take less. This is measured,
not guessed: the first sweeps go to the workers, which report how long the work alone took; unless that is hopeless, the
next are done here; whoever was slower is tried again now and then. Nothing here reads a clock, and the result of a
sweep is the same whoever does it.
"""

from collections import deque
from statistics import median

LATEST = 5  # sweeps to consider
RECHECK = 256  # sweeps until the slower way is tried again
LONGEST = 0.02  # seconds that the driver may spend on a sweep, during which it does not hear its workers
HOPELESS = 3.0  # times as long as the workers take: so much work together is not tried here


class Shortcut:
    """How long sweeps of one kind take, in seconds: here, in the driver, and there, on the workers."""

    __slots__ = ("_asked", "_here", "_there", "_worked")

    def __init__(self) -> None:
        self._here: deque[float] = deque(maxlen=LATEST)
        self._there: deque[float] = deque(maxlen=LATEST)
        self._worked: deque[float] = deque(maxlen=LATEST)  # by all workers together
        self._asked = 0

    def taken(self) -> bool:
        """Whether the next sweep is to be done here."""
        if len(self._there) < LATEST:
            return False
        there, work = median(self._there), median(self._worked)
        if work > min(LONGEST, HOPELESS * there):
            return False
        if len(self._here) < LATEST:
            return True
        faster_here = median(self._here) < min(LONGEST, there)
        self._asked += 1
        return faster_here != (self._asked % RECHECK == 0)

    def done(self, seconds: float) -> None:
        """Record a sweep done here."""
        self._here.append(seconds)

    def answered(self, seconds: float, worked: float) -> None:
        """Record a sweep done by the workers, which took them `worked` seconds of work in total."""
        self._there.append(seconds)
        self._worked.append(worked)
