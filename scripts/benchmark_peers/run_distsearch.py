"""Our own searches: from a prepared session, with Ray started where there are workers, to the target."""

import tempfile
from typing import Any

from tasks import Problem, Race

from distsearch.search import session


def search(problem: Problem, settings: dict[str, Any], race: Race, folder: str) -> None:
    """Search with a strategy's flags. The clock is the search's own; what it measures on the way is in it."""
    task = problem.task
    with tempfile.TemporaryDirectory() as runs:
        flags = {
            "seconds": race.limit,
            **settings,
            "seed": problem.seed,
            "runs": runs,
            "target_loss": task.loss,
            "target_accuracy": task.accuracy,
        }
        config = task.config(folder, **{name: value for name, value in flags.items() if value is not None})
        prepared = session.prepare(config)
        race.seen = prepared.strategy.space.batch
        share = prepared.strategy.space.share  # the others count passes over a batch
        rows: list[Any] = []
        _, result = prepared.run(lambda row, state, workers: rows.append(row), lambda sentence: None)
    race.pace = [(row.seconds, row.passes / share) for row in (rows[0], rows[-1])]
    for row in rows:
        value = row.best_loss if task.accuracy is None else row.test_accuracy
        if value is not None:
            race.points.append((row.seconds, row.passes / share, value))
    race.final = result.loss if task.accuracy is None else result.test_accuracy
    if result.reason.startswith("target"):
        race.reached = result.seconds
