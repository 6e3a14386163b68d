"""How a learning rate or a step size falls during a search: pure functions of the rounds and the losses.

They cannot depend on time, or the same seed would not reproduce the same weights.
"""

import math
from dataclasses import dataclass, replace
from typing import Protocol

SCHEDULES = ("constant", "cosine", "plateau")
IMPROVEMENT = 1e-3  # relative improvement on the lowest loss that counts
FEWEST = 3  # losses in vain that make a plateau


class Schedule(Protocol):
    """How much of an initial value is left."""

    def share(self, round_number: int, plateaus: int) -> float:
        """The share that is left in a round after this many plateaus of the loss, falling from 1."""
        ...


@dataclass(frozen=True, slots=True)
class Constant:
    """Always all of it."""

    def share(self, round_number: int, plateaus: int) -> float:
        """1."""
        return 1.0


@dataclass(frozen=True, slots=True)
class Cosine:
    """Half a cosine wave, from 1 in round 0 to 0 at the horizon and past it (arXiv 1608.03983, eq. 5)."""

    horizon: int  # rounds

    def share(self, round_number: int, plateaus: int) -> float:
        """½ (1 + cos(π · round / horizon))."""
        return 0.5 * (1 + math.cos(math.pi * min(1.0, round_number / self.horizon)))


@dataclass(frozen=True, slots=True)
class AtPlateaus:
    """Reduced by a factor with every plateau."""

    factor: float

    def share(self, round_number: int, plateaus: int) -> float:
        """factor^plateaus."""
        return self.factor**plateaus


@dataclass(frozen=True, slots=True)
class Plateau:
    """How long the loss has not fallen."""

    lowest: float = math.inf  # loss so far
    since: int = 0  # round of the lowest loss or of the last plateau
    count: int = 0  # plateaus so far
    in_vain: int = 0  # losses since the lowest one, or since the last plateau

    def after(self, loss: float, round_number: int, rounds: int) -> "Plateau":
        """After another loss: one more plateau if none was lower by a thousandth for that many rounds.

        Where losses are seldom measured, a plateau takes at least three of them: one alone may be bad luck.
        """
        if math.isfinite(loss) and (math.isinf(self.lowest) or loss < self.lowest - IMPROVEMENT * abs(self.lowest)):
            return Plateau(loss, round_number, self.count)
        in_vain = self.in_vain + 1
        if round_number - self.since >= rounds and in_vain >= min(FEWEST, rounds):
            return Plateau(self.lowest, round_number, self.count + 1)
        return replace(self, in_vain=in_vain)
