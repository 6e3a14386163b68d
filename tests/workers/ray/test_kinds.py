"""The kinds of machines that workers are on, of which the user is told if they are not the driver's."""

from distsearch.workers.ray.kinds import MachineKinds


def test_a_worker_that_differs_from_the_driver_is_reported_once():
    driver = {"processor": "A", "blas": "openblas 1 X", "numpy": "2.4", "host": "here", "node": "0"}
    kinds = MachineKinds(driver)
    assert kinds.add({**driver, "host": "there"}) == ""
    told = kinds.add({**driver, "processor": "B", "host": "elsewhere", "node": "1"})
    assert "a worker on elsewhere has B with openblas 1 X and NumPy 2.4, the driver on here A with" in told
    assert kinds.add({**driver, "processor": "B"}) == kinds.add({**driver, "numpy": "2.5"}) == ""
    assert [(each["processor"], each["numpy"], each["host"]) for each in kinds.seen] == [
        ("A", "2.4", "there"),
        ("B", "2.4", "elsewhere"),
        ("A", "2.5", "here"),
    ]


def test_another_gpu_is_another_kind_of_machine():
    driver = {"processor": "A", "blas": "openblas 1 X", "numpy": "2.4", "device": "one", "host": "here", "node": "0"}
    kinds = MachineKinds(driver)
    assert kinds.add({**driver, "host": "there"}) == ""
    told = kinds.add({**driver, "device": "two"})
    assert "has A with openblas 1 X, two and NumPy 2.4, the driver on here A with openblas 1 X, one and" in told
    assert not kinds.alike
    assert kinds.seen[0]["device"] == "one"
