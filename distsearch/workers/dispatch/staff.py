"""How many workers there should be, which are starting, how many may be replaced, and the wait if there are none."""

from math import inf

from distsearch.errors import WorkersError
from distsearch.workers.dispatch.instructions import Instruction, Policy, Say, StartWorker, Stop

SLOWEST_START = 15.0  # seconds; a worker missing for longer is not just starting


class RestartBudget:
    """Allows `limit` restarts at once, and one more every `seconds`; in whole units, so `next_at` is late enough."""

    __slots__ = ("_left", "_limit", "_seconds", "next_at")

    def __init__(self, limit: int, seconds: float) -> None:
        self._left = self._limit = limit
        self._seconds = seconds
        self.next_at = inf  # when one more is added

    def take(self, now: float) -> bool:
        """Use one restart, if there is one."""
        while self._left < self._limit and self.next_at <= now:
            self._left += 1
            self.next_at += self._seconds
        if not self._left:
            return False
        if self._left == self._limit:
            self.next_at = now + self._seconds
        self._left -= 1
        return True


class Staff:
    """The target number of workers and those that are starting. The dispatcher counts the live ones."""

    def __init__(self, policy: Policy) -> None:
        self.wanted = 0
        self._numbers = 0  # assigned so far
        self._starting: set[int] = set()
        self._free = 0  # starts on new capacity, which replace no worker
        self._budget = RestartBudget(policy.restarts, policy.restart_seconds)
        self._said = False  # whether the user knows that no restart is left

    def want(self, workers: int) -> None:
        """Set the target number of workers; those beyond the old target do not count as restarts."""
        self._free += max(0, workers - self.wanted)
        self.wanted = workers

    def leave(self, worker: int) -> bool:
        """Note that a worker is no longer starting: it has started, or failed to. False if it was not starting."""
        starting = worker in self._starting
        self._starting.discard(worker)
        return starting

    def prepay(self, alive: int, now: float) -> bool:
        """Use a restart for a live worker about to be given up, if it will be replaced; whether there was one."""
        paid = self._missing(alive - 1) > 0 and self._budget.take(now)
        self._free += paid
        return paid

    def next_start(self, alive: int) -> float:
        """When the next missing worker may be started, in seconds; infinite if none is missing."""
        return self._budget.next_at if self._missing(alive) > 0 else inf

    def fill(self, alive: int, now: float) -> list[Instruction]:
        """Start missing workers, as far as new capacity and the budget allow."""
        self._free = min(self._free, max(0, self._missing(alive)))
        started: list[Instruction] = []
        while self._missing(alive) > 0:
            if self._free:
                self._free -= 1
            elif not self._budget.take(now):
                return started + self._no_restarts(now)
            started.append(StartWorker(self._numbers))
            self._starting.add(self._numbers)
            self._numbers += 1
        self._said = False
        return started

    def _missing(self, alive: int) -> int:
        return self.wanted - alive - len(self._starting)

    def _no_restarts(self, now: float) -> list[Instruction]:
        if self._said:
            return []
        self._said = True
        until = "" if self._budget.next_at == inf else f"; the next in {self._budget.next_at - now:.0f} s"
        return [Say(f"a worker is missing and all restarts are used up{until}")]


class Wait:
    """The wait for a worker when there is none: announced once, and not forever, unless others hold all the cores."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._begun = 0.0
        self._said = False  # whether the user knows that others hold all the cores
        self.end = inf  # when to give up; infinite while not waiting
        self.last_loss = "none has started yet"

    def over(self) -> None:
        """End the wait: there is a worker, or nothing for one to do."""
        self.end, self._said = inf, False

    def wait(self, now: float) -> list[Instruction]:
        """Begin to wait, as there is no worker, or check whether the wait has been long enough."""
        if self.end == inf:
            self._begun, self.end = now, now + self._seconds
            return [Say(f"no worker: waiting up to {self._seconds:g} s for one ({self.last_loss})")]
        if now < self.end:
            return []
        why = f"expected a worker within {self._seconds:g} s, but none joined ({self.last_loss})"
        return [Stop(WorkersError(f"{why}: check the cluster, then resume the run"))]

    def queued(self, now: float) -> list[Instruction]:
        """Extend the wait: there is no worker because others hold all the cores, and they will finish some day."""
        if self.end == inf:
            return []
        self.end = now + self._seconds
        if self._said or now < self._begun + SLOWEST_START:
            return []
        self._said = True
        return [Say("all cores are in use by others: the search continues when one is free")]
