"""Functions that return no number, raise, change their argument or cannot be pickled; and what they print."""

import math
import threading
from decimal import Decimal
from functools import partial

import numpy as np
import pytest
from problems import sphere

import distsearch
from distsearch.errors import ObjectiveError, SettingError
from distsearch.runs.directory import StoredRun
from distsearch.workers.ray import pool


def minimized(function, **settings):
    return distsearch.minimize(function, np.zeros(3), **{"workers": 0, "rounds": 3, **settings})


@pytest.mark.parametrize(
    ("value", "came"),
    [
        (np.zeros(3), r"an array of shape \(3,\)"),
        (np.zeros(1), r"an array of shape \(1,\): return its one number, as .item\(\) gives it"),
        (np.zeros((1, 1)), r"an array of shape \(1, 1\): return its .*"),
        (None, r"None: does it end without a return\?"),
        ("1.5", "'1.5'"),
        (b"1", "b'1'"),
        (1j, "1j"),
        (np.complex64(1 + 2j), r"np.complex64\(1\+2j\)"),
        ((1.0, {}), r"\(1.0, {}\)"),
        ([1.0], r"\[1.0\]"),
        (10**400, "10+…"),
    ],
)
def test_a_value_that_is_not_a_number_is_named_and_refused(value, came):
    with pytest.raises(ObjectiveError, match=f"^expected a number from the function, got {came}$"):
        minimized(lambda weights: value)


@pytest.mark.parametrize("value", [1, True, np.True_, np.float32(1), np.int8(1), np.array(1.0), Decimal(1)])
def test_any_kind_of_number_is_accepted(value):
    assert minimized(lambda weights: value).loss == 1.0


def masked_right_of_zero(weights):
    """The sphere, but nothing where the first weight is positive: what is behind the mask would be the lowest."""
    values = np.ma.array(np.square(weights - 1).sum(axis=-1), mask=weights[..., 0] > 0)
    values.data[...] = np.where(values.mask, -5.0, values.data)
    return values if weights.ndim > 1 else values[()]


@pytest.mark.parametrize("vectorized", [False, True])
def test_a_masked_value_is_no_number_and_what_lies_behind_it_is_not_taken(vectorized):
    result = distsearch.minimize(masked_right_of_zero, [0.0, 0.0], vectorized=vectorized, rounds=3, workers=0)
    assert 0 < result.loss == pytest.approx(np.square(result.weights - 1).sum())
    assert result.weights[0] <= 0
    assert result.summary.non_finite > 0
    with pytest.raises(ObjectiveError, match="none of the 32 candidates has a finite loss"):
        minimized(lambda weights: np.ma.masked)


def test_losses_near_the_largest_float_cause_no_warning():
    result = minimized(lambda weights: 1e307 * (1 + sphere(weights)))
    assert 1e307 <= result.loss < math.inf
    assert sum(row.non_finite for row in result.history) == 0


@pytest.mark.parametrize("vectorized", [False, True])
def test_a_function_that_changes_its_argument_changes_nothing_else(vectorized):
    def writing(weights):
        loss = np.square(weights - 1).sum(axis=-1)
        weights[:] = 7
        return loss

    def reading(weights):
        return np.square(weights - 1).sum(axis=-1)

    for strategy in ("hill-climb", "snes"):
        given = {"strategy": strategy, "vectorized": vectorized, "rounds": 20}
        assert minimized(writing, **given).weights.tobytes() == minimized(reading, **given).weights.tobytes()


def test_a_function_that_is_not_callable_is_refused_at_once():
    with pytest.raises(SettingError, match=r"^function: expected one that maps weights \(n,\) to a number, got 3$"):
        minimized(3)

    async def awaited(weights):
        return sphere(weights)

    def yielding(weights):
        yield sphere(weights)

    for function, why in ((awaited, "is async: nobody would await it"), (yielding, "yields: nobody would run its")):
        with pytest.raises(SettingError, match=f"^function: expected one that .*, which {why}"):
            minimized(function)


def test_an_exception_is_kept_as_the_cause_and_its_line_is_named():
    def failing(weights):
        return {}["absent"]

    with pytest.raises(ObjectiveError, match=r"the objective raised KeyError: 'absent' \(.*bad_functions.py, line \d+"):
        minimized(failing)
    with pytest.raises(ObjectiveError, match="takes 0 positional arguments but 1 was given") as raised:
        minimized(lambda: 1.0)
    assert isinstance(raised.value.__cause__, TypeError)


class Failing:
    """The sphere around 1, or a squared error, until it has been called so often."""

    def __init__(self, calls):
        self.calls, self.losses = calls, []

    def __call__(self, *arguments):
        if len(self.losses) == self.calls:
            raise ZeroDivisionError("no more")
        given, truth = (arguments[0][:, 0], arguments[1]) if len(arguments) == 2 else (arguments[0], 1)
        self.losses.append(float(np.square(given - truth).sum()))
        return self.losses[-1]


@pytest.mark.parametrize("strategy", ["hill-climb", "cma-es", "evolution-strategy"])
def test_an_error_in_the_first_round_holds_the_best_of_what_was_evaluated(tmp_path, strategy):
    failing = Failing(20)
    settings = {"strategy": strategy, "population": 64, "sigma": 0.5, "runs": tmp_path, "name": "a"}
    with pytest.raises(ObjectiveError, match="ZeroDivisionError: no more") as raised:
        minimized(failing, **settings)
    found = raised.value.result
    evaluated = failing.losses[: found.summary.candidates]
    assert len(evaluated) > 10
    assert found.loss == min(evaluated) < failing.losses[0]
    assert sphere(found.weights) == pytest.approx(found.loss)
    assert (found.summary.reason, found.summary.rounds, found.history) == ("failed", 0, [])
    assert StoredRun(tmp_path / "a").best()["weights"].tobytes() == found.weights.tobytes()
    assert distsearch.verify(tmp_path / "a", function=Failing(999)).identical


def test_a_loss_that_fails_for_good_leaves_no_result_and_its_first_error():
    features, failing = np.random.default_rng(0).normal(size=(50, 2)), Failing(40)
    with pytest.raises(ObjectiveError, match="ZeroDivisionError: no more") as raised:
        distsearch.search(features, np.arange(50) % 2, loss=failing, layers=[], workers=0)
    assert raised.value.result is None
    assert raised.value.__context__ is raised.value.__cause__


@pytest.mark.parametrize("strategy", ["evolution-strategy", "node-perturbation"])
def test_a_rate_with_which_weights_overflow_is_blamed(strategy):
    features = np.random.default_rng(0).normal(size=(50, 2))
    with pytest.raises(ObjectiveError, match="round 1: none of .* try a smaller rate$"):
        distsearch.search(features, np.arange(50) % 2, strategy=strategy, rate=1e30, rounds=9, workers=0)


class Simulator:
    def __init__(self):
        self.lock = threading.Lock()

    def loss(self, weights):
        with self.lock:
            return sphere(weights)


class Environment(Simulator):
    def __call__(self, weights):
        return self.loss(weights)


def unpicklable():
    lock, handles, simulator = threading.Lock(), {"a": [open]}, Simulator()
    handles["b"] = [threading.Lock()]

    def closing(weights):
        with lock:
            return sphere(weights)

    def keeping(weights):
        return sphere(weights) + len(handles)

    def asking(weights):
        return simulator.loss(weights)

    def defaulting(weights, gate=lock):
        return sphere(weights)

    def taking(weights, gate):
        return sphere(weights)

    return {
        "the variable lock of closing": closing,
        "the item 0 of list": keeping,
        "the attribute lock of Simulator": asking,
        "the variable gate of defaulting": defaulting,
        "the attribute lock of Simulator ": simulator.loss,
        "the attribute lock of Environment": Environment(),
        "the argument gate of partial": partial(taking, gate=lock),
    }


@pytest.mark.parametrize("named", unpicklable())
def test_a_function_that_cannot_be_pickled_is_refused_before_anything_starts(tmp_path, monkeypatch, named):
    monkeypatch.setattr(pool, "take", lambda *arguments: pytest.fail("Ray is started"))
    sentence = f"^{named.strip()}, which is .*cannot be sent to workers: .* or search in this process with workers=0$"
    with pytest.raises(ObjectiveError, match=sentence):
        minimized(unpicklable()[named], workers=1, runs=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_output_and_errors_of_workers_reach_the_user(tmp_path, capsys, ray_with_three_cpus):
    def talking(weights):
        print(f"at {weights[0]:+.6f}")
        if weights[0] > 0.2:
            raise ZeroDivisionError("too far")
        return float(np.square(weights - 1).sum())  # workers cannot import what tests share

    settings = {"rounds": 2, "population": 8, "sigma": 0.01, "ladder": 1, "adapt": False}
    alone = minimized(talking, **settings)
    heard = sorted(capsys.readouterr().out.splitlines())
    shared = minimized(talking, workers=2, **settings)
    assert sorted(capsys.readouterr().out.splitlines()) == heard
    assert len(heard) == 16
    assert shared.weights.tobytes() == alone.weights.tobytes()
    settings |= {"rounds": 300, "workers": 2, "runs": tmp_path, "name": "a"}
    with pytest.raises(
        ObjectiveError, match=r"ZeroDivisionError: too far \(.*test_bad_functions.py, line \d+"
    ) as raised:
        minimized(talking, **settings)
    assert isinstance(raised.value.__cause__, ZeroDivisionError)
    assert "at +0.2" in capsys.readouterr().out
    assert raised.value.result.summary.rounds == len(raised.value.result.history) > 0
    assert distsearch.resume(tmp_path / "a", function=sphere, workers=0).summary.rounds == 300
