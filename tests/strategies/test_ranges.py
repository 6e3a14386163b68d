"""Long vectors are processed in ranges by several threads: every number once, and errors reach the caller."""

import numpy as np
import pytest

from distsearch.strategies import ranges
from distsearch.strategies.ranges import RANGE, SHARED, in_ranges


@pytest.mark.parametrize("count", [0, 1, RANGE, RANGE + 1, SHARED - 1, SHARED, SHARED + 12345])
def test_every_number_is_processed_once(count):
    times = np.zeros(count, np.int8)

    def work(some: slice) -> None:
        times[some] += 1

    in_ranges(count, work)
    assert (times == 1).all()


@pytest.mark.parametrize("cores", [1, 3])
def test_an_error_in_any_range_reaches_the_caller(monkeypatch, cores):
    def work(some: slice) -> None:
        if some.start:
            raise ZeroDivisionError

    monkeypatch.setattr(ranges, "cores", lambda: cores)
    ranges._helpers.cache_clear()
    with pytest.raises(ZeroDivisionError):
        in_ranges(SHARED, work)
    ranges._helpers.cache_clear()
