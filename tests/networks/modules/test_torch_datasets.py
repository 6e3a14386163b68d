"""Data sets of torch in the place of X and y."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset
from torch_modules import Stack

import distsearch
from distsearch.api.torch_datasets import arrays_of
from distsearch.data import datasets
from distsearch.errors import DataError

SETTINGS = {"strategy": "node-perturbation", "rounds": 3, "workers": 0}


def test_a_data_set_is_searched_as_its_arrays_are():
    data = datasets.load("digits", numbers=False).train
    X, y = torch.from_numpy(data.features[:200].copy()), torch.from_numpy(data.targets[:200].astype(np.int64))
    given = Subset(TensorDataset(X, y), range(150))
    result = distsearch.search(given, model=Stack, **SETTINGS)
    again = distsearch.search(X[:150].numpy(), y[:150].numpy(), model=Stack, **SETTINGS)
    assert np.array_equal(result.weights, again.weights)
    assert result.predict(X[:3].numpy()).dtype == np.int64


def test_a_run_on_a_data_set_is_given_it_again(tmp_path):
    given = TensorDataset(torch.arange(60.0).reshape(30, 2), torch.arange(30) % 2)
    distsearch.search(given, layers=[3], runs=tmp_path, name="a", **SETTINGS)
    assert distsearch.resume(tmp_path / "a", given, rounds=2).summary.rounds == 5
    assert distsearch.verify(tmp_path / "a", given).differences == []


@pytest.mark.parametrize(
    "given",
    [
        lambda X: X.clone().requires_grad_(),
        lambda X: X.to_sparse(),
        lambda X: X.bfloat16(),
        lambda X: X.double(),
    ],
)
def test_tensors_of_any_kind_are_arrays(given):
    X, y = torch.arange(20.0).reshape(10, 2), torch.arange(10) % 2
    result = distsearch.search(given(X), given(y.float()).detach(), layers=[3], loss="mean-squared-error", **SETTINGS)
    again = distsearch.search(X.numpy(), y.numpy(), layers=[3], loss="mean-squared-error", **SETTINGS)
    assert np.array_equal(result.weights, again.weights)


@pytest.mark.parametrize("vectorized", [False, True])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_a_function_may_return_and_begin_with_tensors_that_need_a_gradient(vectorized, kind):
    def loss(weights):
        return (torch.tensor(weights, requires_grad=True) ** 2).sum(dim=-1).to(kind)

    start = nn.Parameter(torch.ones(3, dtype=kind))
    found = distsearch.minimize(loss, start, vectorized=vectorized, rounds=3, workers=0)
    assert found.loss == loss(found.weights).item() < 3
    optimizer = distsearch.Optimizer("hill-climb", start)
    optimizer.tell(loss(optimizer.ask()))
    assert optimizer.best_loss < 3


def test_losses_told_to_an_optimizer_may_be_tensors_in_need_of_a_gradient():
    def loss(weights) -> torch.Tensor:
        return torch.tensor(weights.copy(), requires_grad=True).square().sum()

    asked = distsearch.Optimizer("snes", np.ones(3), rounds=3)
    numbers = distsearch.Optimizer("snes", np.ones(3), rounds=3)
    while not asked.done:
        candidates = asked.ask()
        asked.tell([loss(each).bfloat16() for each in candidates])
        numbers.ask()
        numbers.tell([loss(each).bfloat16().item() for each in candidates])
    assert asked.best.tobytes() == numbers.best.tobytes()
    asked = distsearch.Optimizer("snes", np.ones(3))
    candidates = asked.ask()
    with pytest.raises(DataError, match=r"expected losses of shape \(\d+,\), one per candidate, got"):
        asked.tell([torch.ones(2)] * len(candidates))


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float32])
def test_targets_for_a_loss_of_one_s_own_may_be_tensors_of_any_type(kind):
    X = np.random.default_rng(0).normal(size=(40, 2))
    y = torch.tensor((X[:, 0] > 0).astype(float), requires_grad=True).to(kind)

    def misses(outputs, targets):
        return (outputs.argmax(1) != targets).mean()

    given, plain = (
        distsearch.search(X, each, layers=[3], loss=misses, rounds=3, workers=0)
        for each in (y, y.detach().float().numpy())
    )
    assert given.weights.tobytes() == plain.weights.tobytes()


class Pairs(Dataset):
    def __init__(self, pairs) -> None:
        self.pairs = pairs

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, number):
        return self.pairs[number]


def test_fractions_after_whole_numbers_are_kept_and_ragged_targets_refused():
    features, targets = arrays_of(Pairs([([5, 3], 0), ([0.7, 0.2], 1)]), None)
    assert features.tolist() == [[5, 3], [0.7, 0.2]]
    assert targets.tolist() == [0, 1]
    with pytest.raises(DataError, match=r"expected targets of one shape, got \(1,\) at index 0 and \(2,\) at index 1"):
        arrays_of(Pairs([([1.0], [1]), ([2.0], [1, 2])]), None)


class Pictures(Dataset):
    """Images, channels first, whose labels are words."""

    def __len__(self) -> int:
        return 40

    def __getitem__(self, index):
        return torch.full((2, 3, 5), index / 40) + torch.arange(2.0)[:, None, None], "even" if index % 2 else "odd"


def test_images_reach_the_module_as_they_are_and_labels_keep_their_spelling():
    X, y = arrays_of(Pictures(), None)
    assert X.shape == (40, 3, 5, 2)
    assert set(y) == {"even", "odd"}
    seen = []

    class Looking(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(30, 2)

        def forward(self, x):
            seen.append(tuple(x.shape[1:]))
            return self.layer(x.flatten(1))

    result = distsearch.search(Pictures(), model=Looking, strategy="hill-climb", rounds=1, population=2, workers=0)
    assert set(seen) == {(2, 3, 5)}
    assert set(result.classes) == {"even", "odd"}


class Endless(IterableDataset):
    def __iter__(self):
        return iter([])


@pytest.mark.parametrize(
    ("data", "y", "sentence"),
    [
        (Endless(), None, "X: expected a data set of a fixed length, got Endless"),
        (TensorDataset(torch.ones(3, 2)), None, r"expected \(example, target\) at index 0"),
        (TensorDataset(torch.ones(0, 2), torch.ones(0)), None, "X: expected at least one example"),
        (Pictures(), [1], "y: would do nothing"),
        ([(torch.ones(2), 1)], None, "y: expected the targets of X, one for each example, got None"),
        (DataLoader(Pictures()), None, "X: expected arrays or a data set, got a DataLoader, .* give its X.dataset"),
    ],
)
def test_what_is_no_data_set_is_refused(data, y, sentence):
    with pytest.raises(DataError, match=sentence):
        distsearch.search(data, y, workers=0, rounds=1)
