"""Workers in this process: the twin of the Ray pool, without Ray."""

from distsearch.errors import DistsearchError, ObjectiveError
from distsearch.strategies.base import Answer, Objective, State, Strategy
from distsearch.workers.base import Workers, raised


class LocalWorkers(Workers):
    """Tries every candidate here and now."""

    count = 0

    def __init__(self, strategy: Strategy, objective: Objective) -> None:
        self._strategy = strategy
        self._objective = objective

    def evaluate(self, state: State) -> list[Answer]:
        """The whole round as one answer. ObjectiveError with the message of what the objective raised."""
        try:
            return [self._strategy.work(state, self._objective, 0, self._strategy.units(state))]
        except DistsearchError:
            raise
        except Exception as error:
            raise ObjectiveError(raised(error)) from error
