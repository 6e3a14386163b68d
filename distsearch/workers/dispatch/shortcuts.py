"""Which sweeps the driver does itself: those that it has done before the workers' answers would be there.

A message to a worker takes a part of a millisecond, a call of Ray several, and many rounds take less. This is measured,
not guessed: the first sweeps go to the workers, which report how long the work alone took; unless that is hopeless, the
next are done here. Whoever was slower is tried again: soon, as the first sweeps are slow on workers that have just
begun, and less and less often; for several sweeps in a row, as a single one finds idle workers asleep and caches cold.
Nothing here reads a clock, and the result of a sweep is the same whoever does it.
"""

from collections import deque
from statistics import median

LATEST = 5  # sweeps to consider
FIRST_RECHECK, RECHECK = 16, 1024  # sweeps until the slower way is tried again: twice as many each time, up to this
LONGEST = 0.02  # seconds that the driver may spend on a sweep, during which it does not hear its workers
HOPELESS = 3.0  # times as long as the workers take: so much work together is not tried here


class Shortcut:
    """How long sweeps of one kind take, in seconds: here, in the driver, and there, on the workers."""

    __slots__ = ("_chosen", "_here", "_interval", "_left", "_there", "_trial", "_worked")

    def __init__(self) -> None:
        self._here: deque[float] = deque(maxlen=LATEST)
        self._there: deque[float] = deque(maxlen=LATEST)
        self._worked: deque[float] = deque(maxlen=LATEST)  # by all workers together
        self._interval = self._left = FIRST_RECHECK  # sweeps between two trials; until the next one
        self._trial = 0  # sweeps left of the one that goes on
        self._chosen = False  # whether sweeps are done here, but for trials

    def taken(self) -> bool:
        """Whether the next sweep is to be done here."""
        if len(self._there) < LATEST:
            return False
        there, work = median(self._there), median(self._worked)
        if work > min(LONGEST, HOPELESS * there):
            return False
        if len(self._here) < LATEST:
            return True
        if self._trial:
            self._trial -= 1
            return not self._chosen
        faster_here = median(self._here) < min(LONGEST, there)
        if faster_here != self._chosen:  # perhaps only because of something else on this machine
            self._chosen, self._interval, self._left = faster_here, FIRST_RECHECK, FIRST_RECHECK
        self._left -= 1
        if self._left:
            return faster_here
        self._interval = min(2 * self._interval, RECHECK)
        self._left, self._trial = self._interval, LATEST - 1
        return not faster_here

    def done(self, seconds: float) -> None:
        """Record a sweep done here."""
        self._here.append(seconds)

    def answered(self, seconds: float, worked: float) -> None:
        """Record a sweep done by the workers, which took them `worked` seconds of work in total."""
        self._there.append(seconds)
        self._worked.append(worked)
