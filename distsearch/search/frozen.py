"""What of a network is not searched: recorded with a run by a hash of its values, and compared on the run's return."""

from hashlib import blake2b

import numpy as np

from distsearch.errors import RunError
from distsearch.networks.trainable import Trainable
from distsearch.runs.directory import StoredRun


def hashes(network: Trainable | None) -> dict[str, str]:
    """A hash of each tensor of a network that is frozen, by its name; none where a function is searched."""
    found = {}
    for name, tensor in (network.frozen if network else {}).items():
        digest = blake2b(f"{tensor.dtype.str} {tensor.shape}".encode(), digest_size=16)
        digest.update(np.ascontiguousarray(tensor).data)
        found[name] = digest.hexdigest()
    return found


def check(network: Trainable | None, stored: StoredRun) -> None:
    """RunError if frozen tensors are not those that a run was begun with; older runs have not recorded them."""
    before, here = stored.manifest.frozen, hashes(network)
    if before and (changed := sorted(name for name in before if here.get(name) != before[name])):
        others = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        raise RunError(
            f"{stored.path} was begun with other values of {changed[0]}{others}, which it does not search: bring back "
            "the file that the model loads them from; --start begins another run with the weights of this one"
        )
