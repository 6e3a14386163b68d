"""Counter-based noise: a normal deviate is a pure function of (seed, stream, round, index, position).

NumPy guarantees that raw Philox words (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") stay the
same. Each is cut into four 16-bit pieces, and each piece picks one of 65,536 normal quantiles, so every deviate
consumes the same number of bits and any range of candidates is one contiguous draw. |z| is at most 4.32.
This is the only file that uses numpy.random.
"""

import sys
import threading
from enum import IntEnum
from functools import cache
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.random import Philox
from numpy.typing import NDArray

_LITTLE_ENDIAN = sys.byteorder == "little"
_WORD, _PIECE = np.dtype("<u8"), np.dtype("<u2")  # of the counter; and what a deviate is made of
_PIECES = 1 << 16
_WORDS_PER_BLOCK = 4  # uint64 words that one Philox counter value yields
_NORMALS_PER_BLOCK = 16


class Stream(IntEnum):
    """What a draw is for. No two uses share a stream, so no two uses see the same noise."""

    CANDIDATES = 0
    START = 1
    SPLIT = 2
    DATA = 3
    BATCHES = 4
    SIGNS = 5
    ACCEPTANCE = 6
    RESTARTS = 7
    PHASES = 8
    LOSSES = 9


@cache
def _quantiles() -> NDArray[np.float32]:
    """The midpoint quantiles of N(0, 1), (65536,), exactly antisymmetric about the middle."""
    inverse = NormalDist().inv_cdf
    upper = np.array([inverse((piece + 0.5) / _PIECES) for piece in range(_PIECES // 2, _PIECES)])
    table = np.concatenate([-upper[::-1], upper]).astype(np.float32)
    table.flags.writeable = False
    return table


class _Generator:
    """A Philox whose counter is reset for each draw (creating one costs five times as much)."""

    def __init__(self) -> None:
        self.philox = Philox(key=0)
        # Lists, as NumPy reads the numbers of a state one by one: from arrays that takes twice as long.
        self.key, self.counter = [0, 0], [0, 0, 0, 0]
        self.state: Any = {
            **self.philox.state,
            "state": {"key": self.key, "counter": self.counter},
            "buffer": [0] * _WORDS_PER_BLOCK,
            "buffer_pos": _WORDS_PER_BLOCK,
        }

    def words(self, seed: int, stream: int, round_number: int, block: int, count: int) -> NDArray[np.uint64]:
        self.key[0], self.key[1] = seed, stream
        self.counter[0], self.counter[2] = block, round_number
        self.philox.state = self.state
        words: NDArray[np.uint64] = self.philox.random_raw(count)
        return words if _LITTLE_ENDIAN else words.astype(_WORD)


class _OfThread(threading.local):
    """What draws words in a thread."""

    def __init__(self) -> None:
        self.words = _Generator().words


_generator = _OfThread()


def noise(seed: int, stream: int, round_number: int, lo: int, hi: int, width: int) -> NDArray[np.float32]:
    """Standard normal noise for the candidates [lo, hi) of a round, (hi - lo, width) float32.

    A candidate's row is the same whatever lo and hi are. seed is below 2**64; round_number counts from 0.
    """
    blocks = -(-width // _NORMALS_PER_BLOCK)
    count = (hi - lo) * blocks * _WORDS_PER_BLOCK
    words = _generator.words(seed, stream, round_number, lo * blocks, count)
    pieces = words.view(_PIECE).reshape(hi - lo, blocks * _NORMALS_PER_BLOCK)
    normals: NDArray[np.float32] = _quantiles().take(pieces[:, :width], mode="wrap")
    return normals


@cache
def _signs_of_bytes() -> NDArray[np.float32]:
    """The eight signs that a byte stands for, (256, 8), its highest bit first."""
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, np.newaxis], axis=1)
    table = np.where(bits, np.float32(1), np.float32(-1))
    table.flags.writeable = False
    return table


def signs(seed: int, stream: int, round_number: int, index: int, lo: int, hi: int, width: int) -> NDArray[np.float32]:
    """Signs ±1, equally likely, for some rows of a table, (hi - lo, width) float32, from the same counter.

    A row is the same whatever lo and hi are; its width is a multiple of 64. `index` tells apart several tables of a
    round: each may have up to 2**40 signs.
    """
    words = width // 64
    first, skipped = divmod(lo * words, _WORDS_PER_BLOCK)
    drawn = _generator.words(seed, stream, round_number, (index << 32) + first, skipped + (hi - lo) * words)
    signs_of = _signs_of_bytes().take(drawn[skipped:].view(np.uint8), axis=0)
    return signs_of.reshape(hi - lo, width)


def permutation(seed: int, stream: int, round_number: int, count: int) -> NDArray[np.intp]:
    """A permutation of range(count), (count,), from the same counter: the order of `count` random words."""
    return np.argsort(_generator.words(seed, stream, round_number, 0, count), kind="stable")


def uniform(seed: int, stream: int, round_number: int, index: int = 0) -> float:
    """A number in [0, 1) with 53 random bits, from the same counter; `index` tells apart several in a round."""
    return float(_generator.words(seed, stream, round_number, index, 1)[0] >> np.uint64(11)) / 2**53
