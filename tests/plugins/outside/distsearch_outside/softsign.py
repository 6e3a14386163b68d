"""z / (1 + |z|)."""

import numpy as np

from distsearch.networks.activations import Activation


def _softsign(hidden: np.ndarray, zeros: np.ndarray) -> None:
    np.divide(hidden, 1 + np.abs(hidden), out=hidden)
    hidden[:, -1] = 1


SOFTSIGN = Activation(_softsign)
