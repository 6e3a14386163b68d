"""Our own searches: from a prepared session, with Ray started if there are workers, to the target."""

import logging
import tempfile
from typing import Any

from tasks import Problem, Race

from distsearch.search import session
from distsearch.search.assembly import assemble
from distsearch.search.observers import History

logging.getLogger("distsearch").addHandler(logging.NullHandler())  # its messages do not belong in the table


def search(problem: Problem, settings: dict[str, Any], race: Race, folder: str) -> None:
    """Search with a strategy's flags. The clock is the search's own, and includes its measurements."""
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
        prepared = assemble(config)
        race.seen = prepared.task.batch
        share = prepared.task.share  # the others count passes over a batch
        history = History()
        result = session.run(prepared, [history]).result
    rows = history.records
    race.pace = [(row.seconds, row.passes / share) for row in (rows[0], rows[-1])]
    for row in rows:
        value = row.best_loss if task.accuracy is None else row.test_accuracy
        if value is not None:
            race.points.append((row.seconds, row.passes / share, value))
    race.final = result.loss if task.accuracy is None else result.test_accuracy
    if result.reason.startswith("target"):
        race.reached = result.seconds
