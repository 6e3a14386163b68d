"""Modules in scikit-learn's interface, and beside losses of the user's own."""

import pickle

import numpy as np
import pytest
import torch
from searches import search
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import cross_val_score
from torch import nn

import distsearch
from distsearch import SearchClassifier, SearchRegressor


class Steps(nn.Module):
    """No gradient passes through its hidden layer."""

    def __init__(self, width: int = 12) -> None:
        super().__init__()
        self.hidden, self.outputs = nn.Linear(4, width), nn.Linear(width, 3)

    def forward(self, x):
        return self.outputs((self.hidden(x) > 0).float())


def seeded(kind: type[nn.Module], *sizes: int) -> nn.Module:
    """A layer whose weights are the same in every test."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return kind(*sizes)


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return X, np.array(["setosa", "versicolor", "virginica"])[y]


def test_a_classifier_fits_a_module_and_predicts_its_labels(iris):
    X, y = iris
    classifier = SearchClassifier(model=Steps, rounds=100, rate=0.05, random_state=0).fit(X, y)
    assert classifier.score(X, y) > 0.9
    assert classifier.predict_proba(X).sum(1) == pytest.approx(1, abs=1e-5)
    scaled = torch.from_numpy(((X - X.mean(0)) / X.std(0)).astype(np.float32))
    with torch.no_grad():
        chosen = classifier.result_.module(scaled).argmax(1).numpy()
    assert np.array_equal(classifier.classes_[chosen], classifier.predict(X))
    again = pickle.loads(pickle.dumps(classifier))  # noqa: S301  # our own
    assert np.array_equal(again.predict_proba(X), classifier.predict_proba(X))


def test_a_module_itself_can_be_cloned_folded_and_stopped_early(iris):
    X, y = iris
    module = seeded(nn.Linear, 4, 3)
    before = module.weight.detach().clone()
    classifier = SearchClassifier(model=module, rounds=60, rate=0.1, random_state=0, early_stopping=True)
    assert cross_val_score(clone(classifier), X, y, cv=3).min() > 0.7
    assert torch.equal(module.weight, before)


def test_fits_go_on_from_the_last_one(iris):
    X, y = iris
    classifier = SearchClassifier(model=Steps, rounds=5, random_state=0, warm_start=True).fit(X, y)
    loss = classifier.best_loss_
    assert classifier.fit(X, y).best_loss_ < loss
    classifier.model = nn.Sequential(nn.Linear(4, 3))
    with pytest.raises(ValueError, match=r"^model: expected the network of the last fit, which has 99 weights"):
        classifier.fit(X, y)


def test_a_regressor_fits_a_module(iris):
    X = iris[0]
    module = nn.Sequential(seeded(nn.Linear, 3, 8), nn.Tanh(), seeded(nn.Linear, 8, 1))
    assert (
        SearchRegressor(model=module, rounds=150, rate=0.03, random_state=0)
        .fit(X[:, :3], X[:, 3])
        .score(X[:, :3], X[:, 3])
        > 0.9
    )


@pytest.mark.parametrize("name", ["layers", "activation", "start"])
def test_parameters_of_layers_would_do_nothing(iris, name):
    other = {"layers": [4], "activation": "step", "start": "glorot"}[name]
    with pytest.raises(ValueError, match=f"^{name}: has no effect, as the model brings its own"):
        SearchClassifier(model=Steps, **{name: other}).fit(*iris)
    with pytest.raises(
        ValueError, match=r"^settings: model is a parameter of its own: give SearchClassifier\(model=…\)"
    ):
        SearchClassifier(settings={"model": "mine:Net"}).fit(*iris)


def test_a_loss_of_the_user_s_own_trains_a_module(iris):
    """Costs of mistakes, as a function of outputs and class numbers: taking a virginica for another costs most."""
    X, y = iris
    costs = np.array([[0, 1, 1], [1, 0, 1], [20, 20, 0]], np.float32)

    def cost(outputs, targets):
        return costs[targets, outputs.argmax(1)]

    found = distsearch.search(
        X, y, model=Steps, loss=cost, strategy="hill-climb", scale="yes", rounds=80, seed=1, workers=0
    )
    predicted = found.predict(X)
    assert found.loss < 0.3
    assert (predicted[y == "virginica"] == "virginica").mean() >= (predicted[y != "virginica"] != "virginica").mean()


def test_settings_of_a_loss_go_with_a_module(tmp_path):
    """Those of losses, unlike those of layers, mean the same for every network."""
    stored = search(
        tmp_path, rounds=2, data="digits", model="torch_modules:Stack", name="run", loss="top-k-error", top=3
    )[0]
    assert stored.config.network.top == 3
