"""Errors are counted where a class is rare: by default the search finds it, and does not give all to the others."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

import distsearch
from distsearch.data import datasets
from distsearch.objectives import losses


def clouds(count, share, seed, shift=2.5):
    """A cloud beside another one; the best division of it has a balanced accuracy of about .84."""
    drawn = np.random.default_rng(seed)
    rare = np.arange(count) < count * share
    return drawn.normal(size=(count, 5)) + rare[:, np.newaxis] * [shift, shift, 0, 0, 0], np.where(
        rare, "rare", "often"
    )


def ring(count, share, seed):
    """A cloud, and a ring around it."""
    drawn = np.random.default_rng(seed)
    rare = np.arange(count) < count * share
    angles = drawn.uniform(0, 2 * np.pi, count)
    around = 4 * np.column_stack([np.cos(angles), np.sin(angles)]) + drawn.normal(size=(count, 2)) * 0.3
    return np.where(rare[:, np.newaxis], around, drawn.normal(size=(count, 2))), np.where(rare, "rare", "often")


def three(count, share, seed):
    """Two large classes, and a rare one."""
    X, y = clouds(count, share, seed, shift=3)
    other = (np.arange(count) % 2 == 0) & (y == "often")
    return X + other[:, np.newaxis] * [-3, 3, 0, 0, 0], np.where(other, "other", y)


@pytest.mark.parametrize(
    ("table", "share", "rounds", "least"),
    [(clouds, 0.01, 700, 0.68), (clouds, 0.03, 200, 0.82), (ring, 0.01, 300, 0.82), (three, 0.01, 300, 0.86)],
)
def test_by_default_a_rare_class_is_found_when_errors_are_counted(table, share, rounds, least):
    found = []
    for seed in range(3):
        X, y = table(3000, share, seed)
        result = distsearch.search(X, y, loss="classification-error", rounds=rounds, seed=seed, workers=0)
        others, labels = table(10_000, share, seed + 100)
        found.append(balanced_accuracy_score(labels, result.predict(others)))
        assert result.loss == np.mean(result.predict(X) != y)  # it is the errors that are reported
    assert np.median(found) > least


def test_an_example_of_a_rare_class_pulls_the_harder_the_farther_off_it_is():
    counts = np.array([97, 3])
    for name in ("classification-error", "top-k-error"):
        plain = losses.create(name)
        targets = np.repeat(np.eye(2, dtype=np.float32), counts, axis=1)
        outputs = np.zeros((1, 2, 100), np.float32)
        outputs[0, 0] = 5  # all are given to the other class
        moved = outputs.copy()
        moved[0, 1, -1] = 1  # towards being right, and not there yet
        assert plain.suited(np.array([50, 50])) is plain
        before = plain.surrogate(outputs, targets)(outputs.copy(), targets, None)
        assert np.array_equal(before, plain.surrogate(outputs, targets)(moved.copy(), targets, None))

        each = plain.suited(counts).surrogate(outputs, targets)
        before, after = each(outputs.copy(), targets, None)[0], each(moved.copy(), targets, None)[0]
        assert after[-1] < before[-1] - 0.9
        assert np.array_equal(after[:-1], before[:-1])
        assert before.mean() == pytest.approx(0.03, abs=1e-6)


@pytest.mark.parametrize(
    ("loss", "rare", "aside"),
    [("classification-error", 99, 0), ("classification-error", 100, 150), ("cross-entropy", 99, 150)],
)
def test_a_handful_of_examples_does_not_choose_by_its_errors(loss, rare, aside):
    y = np.where(np.arange(1500) < rare, "rare", "often")
    data = datasets.from_arrays(
        np.arange(1500)[:, np.newaxis] / 1500,
        y,
        numbers=False,
        validation_share=None,
        counted=losses.create(loss).flat,
    )
    assert (0 if data.validation is None else len(data.validation.features)) == aside
