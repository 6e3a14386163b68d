import subprocess
import sys

import numpy as np
from threadpoolctl import threadpool_info

from distsearch.machine import description, one_thread


def blas_threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_one_thread_is_one_thread_and_only_inside():
    before = blas_threads()
    with one_thread():
        assert blas_threads() == {1}
    assert blas_threads() == before


def test_the_description_does_not_depend_on_what_else_is_imported():
    code = "{} from distsearch.machine import description; print(description())"
    first, second = (
        subprocess.run([sys.executable, "-c", code.format(more)], capture_output=True, text=True, check=True).stdout
        for more in ("pass;", "import sklearn.datasets;")
    )
    assert first == second
    assert description()["numpy"] == np.__version__
