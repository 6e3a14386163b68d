"""Functions that refer to distsearch can be pickled and sent to other processes."""

from importlib import import_module
from pathlib import Path

import cloudpickle
import pytest
from programs import ran

import distsearch

pytestmark = pytest.mark.slow


def output(program: str, folder: Path, fresh: bool = False) -> str:
    """What a program prints; its functions are those of __main__."""
    done = ran(cwd=folder, program=program, fresh=fresh)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_function_that_refers_to_the_package_is_pickled():
    assert cloudpickle.loads(cloudpickle.dumps(lambda: distsearch.__version__))() == distsearch.__version__


def test_it_is_sent_to_joblib_processes(tmp_path):
    program = (
        "import distsearch\n"
        "from joblib import Parallel, delayed\n"
        "print(set(Parallel(n_jobs=2)(delayed(lambda: distsearch.__version__)() for _ in range(4))))"
    )
    assert output(program, tmp_path) == str({distsearch.__version__})


def test_it_is_sent_to_ray(ray_with_three_cpus):
    import ray

    assert ray.get(ray.remote(lambda: distsearch.__version__).remote()) == distsearch.__version__


def test_a_script_s_objective_that_refers_to_the_package_reaches_the_workers(tmp_path):
    program = (
        "import distsearch\n"
        "def loss(weights):\n"
        "    return float((weights**2).sum()) + len(distsearch.__version__)\n"
        "print(distsearch.minimize(loss, [0.0], rounds=2, workers=1).loss)"
    )
    assert output(program, tmp_path) == str(float(len(distsearch.__version__)))


@pytest.mark.parametrize("name", ["distsearch.search", "distsearch.search.loop"])
def test_a_function_is_not_shadowed_by_the_folder_of_the_same_name(tmp_path, name):
    program = f"import {name}, distsearch; print(distsearch.search.__doc__.splitlines()[0])"
    assert output(program, tmp_path, fresh=True) == "Look for the weights of a network that maps X to y."
    assert import_module(name).__name__ == name
