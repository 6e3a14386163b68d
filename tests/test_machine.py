import os
import subprocess
import sys
from threading import Event, Thread

import numpy as np
from threadpoolctl import threadpool_info
from waiting import PATIENCE

from distsearch.machine import description, one_thread


def blas_threads() -> set[int]:
    """Threads of NumPy's BLAS; SciPy's, which another test may have loaded, does none of our work."""
    found = [library for library in threadpool_info() if library["user_api"] == "blas"]
    return {library["num_threads"] for library in found if "numpy" in library["filepath"]}


def test_one_thread_limits_blas_only_inside_the_block():
    before = blas_threads()
    with one_thread():
        assert blas_threads() == {1}
    assert blas_threads() == before


def test_a_library_that_is_imported_between_two_blocks_is_limited_too():
    code = """
from distsearch.machine import one_thread
with one_thread():
    pass
import scipy.linalg
from threadpoolctl import threadpool_info
with one_thread():
    print({each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"})
"""
    environment = {name: each for name, each in os.environ.items() if not name.endswith("_NUM_THREADS")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == "{1}\n"


def test_overlapping_blocks_keep_one_thread_until_the_last_ends():
    before = blas_threads()
    entered, first_has_left = Event(), Event()
    seen = []

    def second() -> None:
        with one_thread():
            entered.set()
            first_has_left.wait(PATIENCE)
            seen.append(blas_threads())

    other = Thread(target=second)
    with one_thread():
        other.start()
        assert entered.wait(PATIENCE)
    first_has_left.set()
    other.join(PATIENCE)
    assert seen == [{1}]
    assert blas_threads() == before


def test_the_description_does_not_depend_on_what_else_is_imported():
    code = "{} from distsearch.machine import description; print(description())"
    first, second = (
        subprocess.run([sys.executable, "-c", code.format(more)], capture_output=True, text=True, check=True).stdout
        for more in ("pass;", "import sklearn.datasets;")
    )
    assert first == second
    assert description()["numpy"] == np.__version__
