"""Cross-validation: as many searches as there are folds, each tested on the examples that the others learnt from."""

from collections.abc import Iterable, Iterator

from distsearch.config import RunConfig
from distsearch.data.datasets import Dataset
from distsearch.errors import SettingError
from distsearch.runs.directory import Result
from distsearch.search import session
from distsearch.search.assembly import assemble
from distsearch.search.data import read_data
from distsearch.search.interrupts import Interrupts
from distsearch.search.limits import INTERRUPTED
from distsearch.search.observers import Observer
from distsearch.workers.place import keep_ray


def cross_validated(
    config: RunConfig, folds: int, observers: Iterable[Observer], interrupts: Interrupts
) -> Iterator[Result]:
    """How the search of each fold ends; nothing is kept. Ends early after one that was interrupted, or before the next.

    What there is to say of the data and of what was chosen is said once.

    Raises SettingError if the configuration sets other examples aside as well.
    """
    if config.data.test_share or config.data.validation_share or config.data.time:
        raise SettingError(
            "--folds: expected no other examples to be set aside, as every fold is tested on in turn; leave out "
            "--test-share, --validation-share and --time"
        )
    keep_ray()
    said: set[str] = set()
    for number in range(folds):
        try:
            assembly = assemble(config, interrupts.begin(_fold, config, number, folds))
            result = session.run_unrecorded(assembly, observers, interrupts, said=said).result
        except KeyboardInterrupt:
            if interrupts.came and number:
                return
            raise
        yield result
        if result.reason == INTERRUPTED:
            return


def _fold(config: RunConfig, number: int, folds: int) -> Dataset:
    return read_data(config, fold=(number, folds))
