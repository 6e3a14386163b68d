"""What a stored run needs and does not hold: its data, from where it was or handed over again, or its function."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from msgspec import structs
from numpy.typing import ArrayLike

from distsearch.config import RunConfig
from distsearch.data.datasets import Dataset
from distsearch.data.fingerprints import fingerprint
from distsearch.data.schema import FIRST_IN_FORMAT_3, Schema
from distsearch.errors import RunError
from distsearch.networks.modules.sources import IN_MEMORY
from distsearch.runs.directory import StoredRun
from distsearch.search import frozen
from distsearch.search.assembly import Assembly, assemble, assemble_function
from distsearch.search.data import data_of, read_data
from distsearch.search.first_weights import flat
from distsearch.settings import with_changes
from distsearch.workers.place import check_workers


@dataclass(frozen=True)
class Handed:
    """What is handed over for a stored run; without anything, its data is where the run says."""

    data: str = ""  # the file or folder where its data is now
    arrays: tuple[ArrayLike, ArrayLike, ArrayLike | None] | None = None  # features, targets and weights, if any
    function: Callable[[Any], Any] | None = None


NOTHING = Handed()


def own_assembly(stored: StoredRun, workers: int | None, handed: Handed = NOTHING) -> Assembly:
    """The assembly of a stored run, on its own data or function. RunError if that is missing, or has changed since."""
    config = structs.replace(stored.config, workers=with_changes(stored.config.workers, "workers", count=workers))
    check_workers(config.workers.count)
    start = stored.start()
    if stored.manifest.data:
        dataset = own_data(stored, handed)
        assembly = assemble(with_source(config, stored, handed), dataset, start and start[0])
        frozen.check(assembly.plan.network, stored)
        return assembly
    if handed.arrays is not None or handed.data:
        raise RunError(f"{stored.path} minimises a function: it has no data, and takes function=… in Python instead")
    if handed.function is None:
        raise RunError(
            f"{stored.path} minimises a function, which is not kept with it: in Python, "
            f"distsearch.resume({str(stored.path)!r}, function=…) continues it, and distsearch.verify checks it"
        )
    first = stored.best()["weights"] if start is None else start[0]["weights"]  # older runs have not kept the first
    return assemble_function(config, handed.function, flat(first, stored.manifest.weights), stored.manifest.vectorized)


def own_data(stored: StoredRun, handed: Handed = NOTHING) -> Dataset:
    """The data that a run was trained on. RunError if it is not to be found, or has changed since."""
    path, data = stored.path, stored.config.data
    if handed.function is not None:
        raise RunError(f"{path} trains a network: expected its data again, X and y, got a function")
    schema = Schema.from_json(stored.manifest.data)
    standardised = FIRST_IN_FORMAT_3 in stored.manifest.data
    if handed.arrays is not None:
        dataset = data_of(stored.config, *handed.arrays, like=schema, targets_standardised=standardised)
        what = "what was given"
    elif handed.data:
        dataset = read_data(with_source(stored.config, stored, handed), schema, targets_standardised=standardised)
        what = handed.data
    elif data.source == IN_MEMORY:
        raise RunError(
            f"{path} was trained on arrays from Python, which are not kept with it: give them again as "
            f"distsearch.resume({str(path)!r}, X, y) or distsearch.verify in Python, or as a file with --data FILE"
        )
    else:
        what = _place(stored)
        config = structs.replace(stored.config, data=structs.replace(data, source=what))
        dataset = read_data(config, targets_standardised=standardised)
    same = _known_by(dataset, schema)
    if same.fingerprint != stored.manifest.fingerprint:
        still = "" if handed.arrays is not None or handed.data else " any more"
        raise RunError(
            f"{what} is not the data that {path} was trained on{still}: expected the same examples in the same order; "
            "--start begins with a run's weights on other data"
        )
    return same


def _known_by(dataset: Dataset, schema: Schema) -> Dataset:
    """The data set under the names of a schema, where only one of the two has names for the features.

    What is learnt does not depend on names: if it is the data that the schema was made of, so is its fingerprint.
    """
    there = dataset.schema
    both_named = there.named and schema.named
    if len(there.features) != len(schema.features) or (both_named and there.features != schema.features):
        return dataset
    renamed = replace(there, features=schema.features, target=schema.target, weight=schema.weight)
    known = schema if renamed.learnt == schema.learnt else renamed
    return replace(dataset, schema=known, fingerprint=fingerprint(dataset.arrays, renamed))


def with_source(config: RunConfig, stored: StoredRun, handed: Handed) -> RunConfig:
    """The configuration with the file that was handed over as its data, if one was."""
    if not handed.data:
        return config
    data = config.data
    target = data.target or str(stored.manifest.data["target"] or "")
    named = Schema.from_json(stored.manifest.data).named
    return structs.replace(
        config,
        data=structs.replace(
            data,
            source=handed.data,
            reader=stored.reader_for(handed.data),
            target=target if named else data.target,
        ),
    )


def _place(stored: StoredRun) -> str:
    """Where a run's data is: where it was when it began or, failing that, as its configuration says, from here."""
    absolute, written = stored.manifest.source, stored.config.data.source
    if not absolute or os.path.exists(absolute):
        return absolute or written
    if os.path.exists(written):
        return written
    raise RunError(f"{absolute}, on which {stored.path} was trained, is gone: say where it is now with --data FILE")
