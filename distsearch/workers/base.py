"""The seam between the search and whoever scores its candidates."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Self

from distsearch.strategies.base import Answer, State

Tell = Callable[[str], None]
"""Says a sentence to the user."""


class Workers(ABC):
    """Scores the units of a round. However many there are, the answers are the same to the bit."""

    @property
    @abstractmethod
    def count(self) -> int:
        """Workers that are alive; 0 means this process itself."""

    @property
    def machines(self) -> tuple[dict[str, str], ...]:
        """What the workers compute with, one of each kind: processor, BLAS and NumPy, and where the first of it runs.

        Empty where only this process computes.
        """
        return ()

    @abstractmethod
    def evaluate(self, state: State) -> list[Answer]:
        """The answers to all units of the round, in index order. WorkersError if there is nobody to ask."""

    def close(self) -> None:  # noqa: B027  (there may be nothing to let go of)
        """Let go of what was started."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def raised(error: BaseException) -> str:
    """The sentence for an exception of the user's own code."""
    return f"the objective raised {type(error).__name__}: {error}"
