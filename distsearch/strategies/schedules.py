"""How a learning rate or a step size falls in the course of a search: pure functions of the rounds and the losses.

Time is nothing to go by: the same seed would not give the same weights again.
"""

import math
from dataclasses import dataclass

SCHEDULES = ("constant", "cosine", "plateau")
IMPROVEMENT = 1e-3  # share of the lowest loss by which a loss has to be lower


@dataclass(frozen=True, slots=True)
class Plateau:
    """The lowest loss of the center so far, the round since which there was none, and how many plateaus there were."""

    lowest: float = math.inf
    since: int = 0
    count: int = 0

    def seen(self, loss: float, round_number: int, rounds: int) -> "Plateau":
        """After another loss: a plateau more if none was lower by a thousandth for so many rounds."""
        if math.isfinite(loss) and (math.isinf(self.lowest) or loss < self.lowest - IMPROVEMENT * abs(self.lowest)):
            return Plateau(loss, round_number, self.count)
        if round_number - self.since >= rounds:
            return Plateau(self.lowest, round_number, self.count + 1)
        return self


def cosine(round_number: int, horizon: int) -> float:
    """From 1 in round 0 to 0 at the horizon and behind it, as half a wave (arXiv 1608.03983, eq. 5)."""
    return 0.5 * (1 + math.cos(math.pi * min(1.0, round_number / horizon)))
