from collections.abc import Iterator

import pytest

from distsearch.machine import one_thread


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """As on the driver of a search: two threads on small matrices mostly wait for each other."""
    with one_thread():
        yield
