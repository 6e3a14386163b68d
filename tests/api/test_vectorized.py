"""Functions that take several candidates at once."""

import numpy as np
import pytest

import distsearch
from distsearch.errors import ObjectiveError, SettingError
from distsearch.strategies import STRATEGIES

OF_FUNCTIONS = [name for name in STRATEGIES.own if name != "node-perturbation"]
POPULATION = 150


def spheres(weights: np.ndarray) -> np.ndarray:
    """Σ (w − 1)² of each candidate."""
    return np.square(weights - 1).sum(axis=1)


def minimized(function, **settings):
    given = {"rounds": 5, "population": POPULATION, "workers": 0, "vectorized": True, **settings}
    return distsearch.minimize(function, np.zeros(5), **given)


@pytest.mark.parametrize("strategy", OF_FUNCTIONS)
def test_it_is_called_with_many_candidates_and_sees_every_one(strategy):
    shapes = []

    def noting(weights):
        assert weights.dtype == np.float32
        shapes.append(weights.shape)
        return spheres(weights)

    result = minimized(noting, strategy=strategy, rounds=2)
    mirrored = STRATEGIES.own[strategy].mirrored
    evaluated = 2 * (POPULATION + mirrored) + 64 + mirrored  # the first call twice, to see whether it is noisy
    assert {width for _, width in shapes} == {5}
    assert sum(count for count, _ in shapes) == evaluated
    assert len(shapes) == 7  # of 64, or 65 with the center of mirrored pairs, and the rest
    assert result.loss == spheres(result.weights[np.newaxis])[0]


@pytest.mark.parametrize("strategy", OF_FUNCTIONS)
def test_it_gives_the_same_result_as_a_function_of_one_candidate(strategy):
    def one(weights):
        return float(spheres(weights[np.newaxis])[0])

    together, alone = minimized(spheres, strategy=strategy), minimized(one, strategy=strategy, vectorized=False)
    assert together.weights.tobytes() == alone.weights.tobytes()
    assert together.loss < 5


@pytest.mark.slow
@pytest.mark.parametrize("strategy", OF_FUNCTIONS)
def test_workers_give_the_same_bits_even_if_losses_depend_on_the_batch_size(strategy, ray_with_three_cpus):
    def dependent(weights):
        return np.square(weights - 1).sum(axis=1) * np.float32(1 + 1e-5 * len(weights))

    alone, shared = (minimized(dependent, strategy=strategy, workers=workers) for workers in (0, 2))
    assert shared.weights.tobytes() == alone.weights.tobytes()
    assert [row.center_loss for row in shared.history] == [row.center_loss for row in alone.history]


def test_it_may_reuse_its_array_and_return_anything_array_like():
    kept = np.empty(POPULATION)

    def reusing(weights):
        kept[: len(weights)] = spheres(weights)
        return kept[: len(weights)]

    expected = minimized(spheres).weights.tobytes()
    assert minimized(reusing).weights.tobytes() == expected
    assert minimized(lambda weights: spheres(weights).tolist()).weights.tobytes() == expected


@pytest.mark.parametrize(
    ("values", "came"),
    [
        (lambda weights: spheres(weights)[:, np.newaxis], r"one of shape \(64, 1\)"),
        (lambda weights: spheres(weights)[:-1], r"one of shape \(63,\)"),
        (lambda weights: spheres(weights).sum(), r"np.float32\(.*\)"),
        (lambda weights: 3.5, r"3\.5"),
        (lambda weights: None, "None"),
        (lambda weights: ["low"] * len(weights), r"\['low', 'low'.*"),
        (lambda weights: [None] * len(weights), r"\[None, None.*"),
        (lambda weights: [[1.0], [1.0, 2.0]], r"\[\[1\.0\], \[1\.0, 2\.0\]\]"),
        (lambda weights: spheres(weights).astype(complex), r"array\(.*"),
    ],
)
def test_anything_but_one_number_per_candidate_is_refused(values, came):
    sentence = (
        r"expected an array of shape \(64,\) from the function, which is given 64 candidates at once "
        rf"\(vectorized=True\), got {came}"
    )
    with pytest.raises(ObjectiveError, match=f"^{sentence}$"):
        minimized(values)


def test_an_exception_is_reported_with_its_line():
    with pytest.raises(ObjectiveError, match=r"the objective raised ZeroDivisionError: .*test_vectorized.py, line \d+"):
        minimized(lambda weights: 1 / 0)


def test_vectorized_must_be_true_or_false():
    with pytest.raises(SettingError, match=r"^vectorized: expected True or False, got 'yes'$"):
        minimized(spheres, vectorized="yes")


def test_only_functions_are_vectorized():
    with pytest.raises(SettingError, match="unknown setting 'vectorized'"):
        distsearch.search([[0.0], [1.0]], [0, 1], vectorized=True)
