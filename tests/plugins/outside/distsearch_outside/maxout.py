"""Neurons that see the larger of two sums: max-out4 is four of them (Goodfellow et al. 2013, arXiv 1302.4389)."""

import math

import numpy as np

from distsearch.networks.building import whole
from distsearch.networks.layers.dense import Dense
from distsearch.networks.neurons import Neurons


class Larger(Neurons):
    """The larger of each two sums, in the place of both."""

    def apply(self, sums, zeros):
        pairs = sums[:, :-1].reshape(len(sums), -1, 2, sums.shape[2])
        pairs[:] = np.maximum(pairs[:, :, :1], pairs[:, :, 1:])
        return sums


def from_word(arguments, builder):
    neurons = 2 * whole(arguments, "a number of neurons such as max-out4")
    return Dense(builder.matrix(neurons, math.prod(builder.shape) + 1, builder.precision()), Larger())
