import numpy as np
import pytest
import routed
from searches import contents, resume, search

from distsearch.candidates.base import Dense, Shared
from distsearch.errors import SettingError
from distsearch.networks.network import Network
from distsearch.objectives.batches import with_ones

WORDS = ["6 attention4", "attention3 6", "6 attention2x6 attention4 4"]


class ByHand:
    """Forward passes of dense layers and attention in float64, optionally with one node's sums moved."""

    def __init__(
        self, network: Network, tensors, features: np.ndarray, hidden=lambda h: np.maximum(h, 0), times: int = 1
    ) -> None:
        self.names, self.times = [name for name, _ in network._numbered()], times
        self.features, self.hidden = features.astype(np.float64), hidden
        self.tensors = routed.by_layer(tensors)
        self.inputs: dict[str, np.ndarray] = {}
        self.chosen: dict[str, np.ndarray] = {}

    def forward(self, move: routed.Move | None = None) -> np.ndarray:
        values = self.features
        for name in self.names:
            if name.startswith("dense"):
                values = self._dense(name, values, move)
                values = values if name == self.names[-1] else self.hidden(values)
            else:
                values = self._attention(name, values, move)
        return routed.in_time(values, self.times)

    def _dense(self, name: str, values: np.ndarray, move: routed.Move | None) -> np.ndarray:
        self.inputs[name] = values
        return routed.shifted(move, name, values @ self.tensors[f"{name}.weights"] + self.tensors[f"{name}.biases"])

    def _attention(self, name: str, values: np.ndarray, move: routed.Move | None) -> np.ndarray:
        keys = self.tensors[f"{name}.keys"]
        self.inputs[f"{name}.keys"] = values
        chosen = routed.shifted(move, f"{name}.similarity", values @ keys.T).argmax(axis=1)
        self.chosen[name] = chosen
        key = routed.shifted(move, f"{name}.element", keys[chosen])
        return self._dense(f"{name}.values", values, move) / (1 + np.exp(-key))

    def gradient(self, signs: np.ndarray, labels: np.ndarray, sigma: float) -> np.ndarray:
        """The gradient estimated by moving every node and recomputing everything, (n,)."""
        rows, self._signs, self._labels = [], list(signs), labels
        self.forward()
        inputs, chosen = dict(self.inputs), dict(self.chosen)
        for name in self.names:
            if name.startswith("attention"):
                rows.append(self._keys(name, inputs[f"{name}.keys"], chosen[name], sigma))
                name = f"{name}.values"
            below = routed.in_time(np.c_[inputs[name], np.ones(len(inputs[name]))], self.times)
            step = sigma * routed.size(inputs[name])
            rows.append(self._slopes(name, self.tensors[f"{name}.biases"].size, step) @ below)
        return np.concatenate([gradient.ravel() for gradient in rows])

    def _keys(self, name: str, below: np.ndarray, chosen: np.ndarray, sigma: float) -> np.ndarray:
        """The gradient of the keys, (keys, size); elements are moved relative to 1, like sigmoids."""
        count, size = self.tensors[f"{name}.keys"].shape
        similarities = self._slopes(f"{name}.similarity", count, sigma * routed.size(below))
        elements = self._slopes(f"{name}.element", size, sigma)
        shares = routed.in_time((chosen[:, np.newaxis] == np.arange(count)).astype(float), self.times)
        return similarities @ routed.in_time(below, self.times) + (elements @ shares).T

    def _slopes(self, name: str, count: int, step: float) -> np.ndarray:
        """The slopes of the next `moves` moves, (moves, examples), with the next signs."""
        own, self._signs = self._signs[:count], self._signs[count:]
        return np.stack(
            [routed.slopes(self.forward, self._labels, (name, number, each * step)) for number, each in enumerate(own)]
        )


def prepared(words: str, activation: str = "relu"):
    network = routed.network(words, activation)
    return network, routed.weights_of(network), *routed.data()


@pytest.mark.parametrize("words", WORDS)
def test_the_output_is_that_of_the_most_similar_key(words):
    network, _, features, _ = prepared(words)
    weights, chosen = np.stack([routed.weights_of(network, seed) for seed in range(5)]), set()
    outputs = network.forward(Dense(weights), Shared(with_ones(features)))
    for candidate, result in zip(weights, outputs, strict=True):
        hand = ByHand(network, network.named(candidate), features)
        assert pytest.approx(hand.forward(), rel=1e-4, abs=1e-4) == result.T
        chosen.update(*hand.chosen.values())
    assert len(chosen) == max(layer.keys.count for layer in network.layers if layer.kind == "attention")


def test_a_candidate_s_outputs_do_not_depend_on_the_others():
    network, _, features, _ = prepared(WORDS[0])
    weights, inputs = np.stack([routed.weights_of(network, seed) for seed in range(7)]), Shared(with_ones(features))
    together = network.forward(Dense(weights), inputs).copy()
    for number, candidate in enumerate(weights):
        assert network.forward(Dense(candidate[np.newaxis]), inputs)[0].tobytes() == together[number].tobytes()


@pytest.mark.parametrize("kind", routed.KINDS_OF_CANDIDATES)
@pytest.mark.parametrize("words", WORDS[:3])
def test_dense_mirrored_and_low_rank_candidates_choose_alike(words, kind):
    network, _, features, _ = prepared(words)
    candidates, inputs = routed.candidates_of(kind, network), Shared(with_ones(features))
    expected = network.forward(Dense(candidates.dense()), inputs).copy()
    assert network.forward(candidates, inputs) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("words", WORDS)
def test_the_estimate_matches_recomputing_everything_for_each_node(words):
    network, weights, features, labels = prepared(words)
    estimates = routed.Estimates(network, weights, features, labels)
    hand = ByHand(network, network.named(weights), features)
    expected = hand.gradient(estimates.signs, labels, routed.SIGMA)
    assert estimates.losses == pytest.approx(routed.cross_entropies(hand.forward(), labels), rel=1e-4, abs=1e-5)
    assert estimates.gradient() == pytest.approx(expected, rel=1e-3, abs=1e-4 * np.abs(expected).max())


def test_each_time_step_chooses_its_own_key():
    network, times = routed.network(WORDS[0], times=3), 3
    weights, (features, labels) = routed.weights_of(network), routed.data(examples=60)
    labels = labels[:20]
    estimates = routed.Estimates(network, weights, features, labels, times)
    hand = ByHand(network, network.named(weights), features, times=times)
    expected = hand.gradient(estimates.signs, labels, routed.SIGMA)
    by_time = hand.chosen["attention2"].reshape(times, -1)
    assert (by_time != by_time[0]).any()
    assert estimates.gradient() == pytest.approx(expected, rel=1e-3, abs=1e-4 * np.abs(expected).max())


def test_moves_change_the_most_similar_key():
    network, weights, features, labels = prepared(WORDS[0])
    hand = ByHand(network, network.named(weights), features)
    hand.forward()
    before = hand.chosen["attention2"]
    step = routed.SIGMA * routed.size(hand.inputs["attention2.keys"]) * np.ones(len(labels))
    hand.forward(("attention2.similarity", 0, step))
    switched = (hand.chosen["attention2"] != before).sum()
    hand.forward(("dense1", 2, step))
    assert switched > 0
    assert (hand.chosen["attention2"] != before).any()


def test_with_small_steps_the_estimate_is_the_slope_while_no_example_changes_its_key():
    """Tanh is smooth; the slope of a key's similarity is zero."""
    network, weights, features, labels = prepared("6 attention4", "tanh")

    def loss(moved: np.ndarray) -> float:
        hand = ByHand(network, network.named(moved), features, np.tanh)
        return routed.cross_entropies(hand.forward(), labels).sum()

    expected = routed.central_differences(loss, weights.astype(np.float64))
    found = routed.Estimates(network, weights, features, labels).gradient(sigma=2e-3)
    assert found == pytest.approx(expected, rel=0.03, abs=0.01 * np.abs(expected).max())


@pytest.mark.parametrize("groups", [1, 2, 99])
def test_any_split_of_the_nodes_gives_the_same_bits(groups):
    network, weights, features, labels = prepared("6 attention4")
    estimates = routed.Estimates(network, weights, features, labels)
    ends = [0, 6, 16, 22, 25] if groups < 99 else estimates.ends()
    expected = estimates.gradient(groups=groups, ends=ends)
    assert estimates.split_gradient(groups, ends).tobytes() == expected.tobytes()


def test_moves_beyond_the_cache_are_made_in_several_passes(monkeypatch):
    network, weights, features, labels = prepared(WORDS[0])
    estimates = routed.Estimates(network, weights, features, labels)
    whole = estimates.gradient()
    monkeypatch.setattr("distsearch.networks.nodes.CACHE_BYTES", 4 * 6 * 40 * 3)
    assert estimates.gradient() == pytest.approx(whole, rel=1e-4, abs=1e-5)


def test_a_pickled_network_gives_the_same_bits():
    network, weights, features, labels = prepared(WORDS[0])
    received = routed.copied(network)
    inputs = Shared(with_ones(features))
    expected = network.forward(Dense(weights[np.newaxis]), inputs).tobytes()
    assert received.forward(Dense(weights[np.newaxis]), inputs).tobytes() == expected
    both = (routed.Estimates(each, weights, features, labels).gradient().tobytes() for each in (network, received))
    assert len(set(both)) == 1


def test_named_and_flat_weights_round_trip():
    network, weights, _, _ = prepared("6 attention4")
    named = network.named(weights)
    assert {name: array.shape for name, array in named.items() if "attention" in name} == {
        "attention2.keys": (4, 6),
        "attention2.values.weights": (6, 6),
        "attention2.values.biases": (6,),
    }
    assert network.flat(named).tobytes() == weights.tobytes()
    with pytest.raises(ValueError, match="attention2: the keys are"):
        routed.network("6 attention3").flat(named)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        (
            "attention1",
            "expected attention such as attention8 or attention8x128, with at least 2 keys, got 'attention1'",
        ),
        ("attention", "with at least 2 keys, got 'attention'"),
        ("attention8x", "got 'attention8x'"),
        ("attention0", "got '0'"),
        ("attention8x9", "attention8x9 has keys of another length than its inputs: expected attention8x8"),
    ],
)
def test_meaningless_layer_words_are_refused_in_a_sentence(word, message):
    with pytest.raises(SettingError, match="network.layers") as caught:
        routed.network((8, word))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("strategy", "rounds", "accuracy"),
    [("node-perturbation", 150, 0.95), ("hill-climb", 400, 0.9), ("evolution-strategy", 200, 0.9), ("snes", 60, 0.9)],
)
def test_iris_is_learnt(strategy, rounds, accuracy, tmp_path):
    _, result = search(
        tmp_path, data="iris", layers="8,attention4", strategy=strategy, rounds=rounds, scale=True, measure_every=10
    )
    assert result.accuracy >= accuracy


def test_a_resumed_run_takes_the_same_path(tmp_path):
    flags = {"data": "iris", "layers": "8,attention4", "strategy": "node-perturbation", "measure_every": 5, "batch": 50}
    whole, _ = search(tmp_path / "whole", rounds=12, **flags)
    part, _ = search(tmp_path / "part", rounds=7, **flags)
    resume(part.path, rounds=5)
    assert contents(part.path) == contents(whole.path)
