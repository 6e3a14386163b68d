"""Messages to Python users name keyword arguments, not flags."""

import numpy as np
import pytest

import distsearch
from distsearch.api.wording import in_python
from distsearch.data.raw import flag
from distsearch.errors import DataError, ObjectiveError, SettingError


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("try a smaller --sigma, or --scale yes if large", 'try a smaller sigma, or scale="yes" if large'),
        ("use --strategy snes, which learns", 'use strategy="snes", which learns'),
        ("add --loss mean-squared-error", 'add loss="mean-squared-error"'),
        ("--workers 0 searches without it", "workers=0 searches without it"),
        ("give --rounds or --horizon", "give rounds or horizon"),
        ("choose a smaller --test-share or another --data-seed", "choose a smaller test_share or another data_seed"),
        ("leave it out with --drop age, or group its values", "leave it out with drop=['age'], or group its values"),
        ("leave it out with " + flag("drop", 'my, "own"'), """leave it out with drop=['my, "own"']"""),
        ("leave it out with " + flag("id", "it's"), """leave it out with id="it's\""""),
        ("stop.rounds: expected a whole number", "rounds: expected a whole number"),
        ("workers.count: expected a whole number", "workers: expected a whole number"),
        (
            "leave it out with --drop x1, or with --id x1 to see it",
            "leave it out with drop=['x1'], or with id='x1' to see it",
        ),
        ("settings.sigma: expected 1 -- no more", "sigma: expected 1 -- no more"),
        ("runs/exp--one ends: give it more --rounds", "runs/exp--one ends: give it more rounds"),
    ],
)
def test_flags_become_arguments(sentence, words):
    assert in_python(sentence) == words


def test_what_a_function_has_raised_is_left_in_its_words():
    def fails(weights):
        raise OSError("sim --rate 5 failed: ['sim', '--sigma']")

    with pytest.raises(ObjectiveError, match=r"raised OSError: sim --rate 5 failed: \['sim', '--sigma'\]"):
        distsearch.minimize(fails, [0.0], rounds=1, workers=0)


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("epochs", "here it is called 'rounds'"),
        ("step_size", "here it is called 'sigma'"),
        ("x0", "here it is called 'start'"),
        ("maxfev", "here it is called 'max_evaluations'"),
        ("path", "runs is the folder that holds all runs, and name this one's"),
        ("tol", "a search ends by rounds, seconds, max_evaluations, target_loss or patience, whichever comes first"),
        ("n_trials", "here it is called 'max_evaluations'"),
        ("bounds", "weights have no bounds; map them into yours, as low + (high - low) * sigmoid(weights) does"),
        ("gpu", 'only a torch module (model) computes on a GPU, with device="cuda"; layers use CPU cores'),
        ("verbose", "callbacks=[distsearch.callbacks.Progress()] shows how far it is"),
        ("callback", "here it is called 'callbacks'"),
        ("lrate", "did you mean 'rate'? `distsearch config` prints all"),
        ("whatever", "`distsearch config` prints all"),
    ],
)
def test_what_other_libraries_call_settings_is_answered_with_ours(name, instead):
    for door in (
        lambda **given: distsearch.minimize(lambda weights: 0.0, [1.0], **given),
        lambda **given: distsearch.search([[1.0], [0.0]], [0, 1], **given),
        lambda **given: distsearch.Optimizer("hill-climb", [1.0], **given),
    ):
        with pytest.raises(SettingError) as raised:
            door(**{name: 1})
        assert str(raised.value).rstrip("0123456789 ") == f"unknown setting '{name}': {instead}"


def test_the_functions_use_the_words_of_python(caplog):
    with pytest.raises(ObjectiveError, match="not even the first weights; try another start$"):
        distsearch.minimize(lambda weights: float("nan"), [1.0], workers=0)
    with pytest.raises(SettingError, match='use strategy="snes"'):
        distsearch.minimize(lambda weights: 0.0, np.zeros(5000), strategy="cma-es", workers=0)
    with pytest.raises(SettingError, match="^rounds: expected a whole number"):
        distsearch.minimize(lambda weights: 0.0, [1.0], rounds=0, workers=0)
    with pytest.raises(DataError, match='for regression add loss="mean-squared-error"'):
        distsearch.search(np.zeros((3000, 1)), np.arange(3000), loss="cross-entropy", workers=0)
    distsearch.search([[1.0], [0.0]], [0, 1], rounds=1, workers=0, loss="classification-error")
    assert 'scale="yes" standardises' in caplog.text
