"""Whether a run's best weights hold to its constraints."""

import msgspec


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A constraint, and what came of it on some examples."""

    constraint: str
    examples: str  # train, validation or test
    values: dict[str, float]  # of the metrics in it
    holds: bool

    @property
    def words(self) -> str:
        """What came of it, in words."""
        found = " and ".join(f"{value:.4g}" for value in self.values.values())
        return f"{'holds' if self.holds else 'does not hold'} on {self.examples} examples: {found}"
