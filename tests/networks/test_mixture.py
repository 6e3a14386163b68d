import numpy as np
import pytest
import routed
from searches import contents, resume, search

from distsearch.candidates.base import Dense, Shared
from distsearch.errors import SettingError
from distsearch.networks.building import Builder
from distsearch.networks.network import Network
from distsearch.networks.neurons import Neurons
from distsearch.objectives.batches import with_ones

WORDS = ["6 moe3(5,4)", "6 moe3(5)", "moe2(4,5,3) 6", "6 moe4(5,4) 3"]


class ByHand:
    """Forward passes of dense layers and mixtures, example by example, in float64; optionally one node's sums moved."""

    def __init__(
        self, network: Network, weights: np.ndarray, features: np.ndarray, inner: str = "relu", times: int = 1
    ) -> None:
        self.network, self.features, self.inner, self.times = network, features.astype(np.float64), inner, times
        self.tensors = routed.by_layer(network.named(weights))
        self.inputs: dict[str, np.ndarray] = {}  # of each layer, (examples, inputs)
        self.chosen: dict[str, np.ndarray] = {}

    def forward(self, move: routed.Move | None = None) -> np.ndarray:
        values = self.features
        names = [name for name, _ in self.network._numbered()]
        for name in names:
            if name.startswith("dense"):
                values = self._dense(name, values, move)
                values = values if name == names[-1] else np.maximum(values, 0)
            else:
                values = self._mixture(name, values, move)
        return routed.in_time(values, self.times)

    def _dense(self, name: str, values: np.ndarray, move: routed.Move | None) -> np.ndarray:
        self.inputs[name] = values
        return routed.shifted(move, name, values @ self.tensors[f"{name}.weights"] + self.tensors[f"{name}.biases"])

    def _mixture(self, name: str, values: np.ndarray, move: routed.Move | None) -> np.ndarray:
        chosen = self._dense(f"{name}.gate", values, move).argmax(axis=1)
        count = sum(key.startswith(f"{name}.layer") for key in self.tensors) // 2
        for number in range(1, count + 1):
            layer = f"{name}.layer{number}"
            self.inputs[layer], self.chosen[layer] = values, chosen
            weights, biases = self.tensors[f"{layer}.weights"][chosen], self.tensors[f"{layer}.biases"][chosen]
            values = routed.shifted(move, layer, np.einsum("ei,eio->eo", values, weights) + biases)
            if self.inner == "relu" and (number < count or count == 1):
                values = np.maximum(values, 0)
        return values

    def gradient(self, signs: np.ndarray, labels: np.ndarray, sigma: float) -> np.ndarray:
        """The gradient estimated by moving every node and recomputing everything, (n,)."""
        rows, first = [], 0
        self.forward()
        inputs, chosen = dict(self.inputs), dict(self.chosen)
        for name in (key.removesuffix(".weights") for key in self.tensors if key.endswith("weights")):
            below = np.c_[inputs[name], np.ones(len(inputs[name]))]
            for node in range(self.tensors[f"{name}.biases"].shape[-1]):
                step = signs[first + node] * sigma * routed.size(inputs[name])
                slopes = routed.slopes(self.forward, labels, (name, node, step))
                if name in chosen:
                    masks = (chosen[name][:, np.newaxis] == expert for expert in range(self.experts(name)))
                    rows += [slopes @ routed.in_time(mask * below, self.times) for mask in masks]
                else:
                    rows.append(slopes @ routed.in_time(below, self.times))
            first += self.tensors[f"{name}.biases"].shape[-1]
        return np.concatenate(rows)

    def experts(self, name: str) -> int:
        return len(self.tensors[f"{name}.weights"])


def prepared(words: str, activation: str = "relu"):
    network = routed.network(words, activation)
    return network, routed.weights_of(network), *routed.data()


@pytest.mark.parametrize("words", WORDS)
def test_the_output_is_that_of_the_chosen_expert(words):
    network, _, features, _ = prepared(words)
    weights, chosen = np.stack([routed.weights_of(network, seed) for seed in range(5)]), set()
    outputs = network.forward(Dense(weights), Shared(with_ones(features)))
    for candidate, result in zip(weights, outputs, strict=True):
        hand = ByHand(network, candidate, features)
        assert pytest.approx(hand.forward(), rel=1e-4, abs=1e-4) == result.T
        chosen.update(*hand.chosen.values())
    assert len(chosen) == network.layers["6" in words.split()[0]].gate.outputs


def test_a_candidate_s_outputs_do_not_depend_on_the_others():
    network, _, features, _ = prepared(WORDS[0])
    weights, inputs = np.stack([routed.weights_of(network, seed) for seed in range(7)]), Shared(with_ones(features))
    together = network.forward(Dense(weights), inputs).copy()
    for number, candidate in enumerate(weights):
        assert network.forward(Dense(candidate[np.newaxis]), inputs)[0].tobytes() == together[number].tobytes()


def test_the_last_layer_of_an_expert_is_linear_unless_its_activations_say_otherwise():
    features, _ = routed.data()
    for activation, inner in (("relu", "relu"), ("relu linear linear", "linear")):
        network = routed.network("6 moe3(5,4)", activation)
        weights = routed.weights_of(network)
        found = network.forward(Dense(weights[np.newaxis]), Shared(with_ones(features)))[0].T
        assert found == pytest.approx(ByHand(network, weights, features, inner).forward(), rel=1e-4, abs=1e-4)
    network = routed.network("6 moe3(5,4)", "relu relu relu")
    assert network.traces(routed.weights_of(network), with_ones(features))[1].activations.min() == 0


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
    estimates, hand = routed.Estimates(network, weights, features, labels), ByHand(network, weights, features)
    expected = hand.gradient(estimates.signs, labels, routed.SIGMA)
    assert estimates.losses == pytest.approx(routed.cross_entropies(hand.forward(), labels), rel=1e-4, abs=1e-5)
    assert estimates.gradient() == pytest.approx(expected, rel=1e-3, abs=1e-4 * np.abs(expected).max())


def test_each_time_step_chooses_its_own_expert():
    network, times = routed.network(WORDS[0], times=3), 3
    weights, (features, labels) = routed.weights_of(network), routed.data(examples=60)
    labels = labels[:20]
    estimates = routed.Estimates(network, weights, features, labels, times)
    hand = ByHand(network, weights, features, times=times)
    expected = hand.gradient(estimates.signs, labels, routed.SIGMA)
    by_time = hand.chosen["mixture2.layer1"].reshape(times, -1)
    assert (by_time != by_time[0]).any()
    assert estimates.gradient() == pytest.approx(expected, rel=1e-3, abs=1e-4 * np.abs(expected).max())
    below, candidate = Shared(with_ones(features)), Dense(weights[np.newaxis])
    for layer in network.layers:
        below = layer.forward(candidate, below, layer.buffers(1, len(labels)))
    assert routed.in_time(below[0].T, times) == pytest.approx(hand.forward(), rel=1e-4, abs=1e-4)


def test_moves_send_examples_to_other_experts():
    network, weights, features, labels = prepared(WORDS[0])
    hand = ByHand(network, weights, features)
    hand.forward()
    before = hand.chosen["mixture2.layer1"]
    step = routed.SIGMA * routed.size(hand.inputs["mixture2.gate"]) * np.ones(len(labels))
    hand.forward(("mixture2.gate", 0, step))
    switched = (hand.chosen["mixture2.layer1"] != before).sum()
    hand.forward(("dense1", 2, step))
    assert switched > 0
    assert (hand.chosen["mixture2.layer1"] != before).any()


def test_with_small_steps_the_estimate_is_the_slope_while_no_example_changes_its_expert():
    """Tanh is smooth; the gate's own weights have no slope."""
    network, weights, features, labels = prepared("moe3(5,4)", "tanh tanh")

    def loss(moved: np.ndarray) -> float:
        hand = ByHand(network, moved, features, "linear")
        tensors = hand.tensors
        chosen = (hand.features @ tensors["mixture1.gate.weights"] + tensors["mixture1.gate.biases"]).argmax(axis=1)
        values = hand.features
        for layer in ("layer1", "layer2"):
            own, biases = (tensors[f"mixture1.{layer}.{name}"][chosen] for name in ("weights", "biases"))
            values = np.tanh(np.einsum("ei,eio->eo", values, own) + biases)
        return routed.cross_entropies(values @ tensors["dense2.weights"] + tensors["dense2.biases"], labels).sum()

    expected = routed.central_differences(loss, weights.astype(np.float64))
    found = routed.Estimates(network, weights, features, labels).gradient(sigma=2e-3)
    gate = network.layers[0].gate.blocks[0].size
    assert found[gate:] == pytest.approx(expected[gate:], rel=0.03, abs=0.01 * np.abs(expected).max())


@pytest.mark.parametrize("groups", [1, 2, 3, 99])
def test_any_split_of_the_nodes_gives_the_same_bits(groups):
    network, weights, features, labels = prepared("6 moe4(5,4) 6")
    estimates = routed.Estimates(network, weights, features, labels)
    ends = [0, 6, 10, 15, 19, 25, 28] if groups < 99 else estimates.ends()
    expected = estimates.gradient(groups=groups, ends=ends)
    assert estimates.split_gradient(groups, ends).tobytes() == expected.tobytes()


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_groups_of_nodes_agree_with_single_nodes_on_average(groups):
    network, weights, features, labels = prepared(WORDS[0])
    single = routed.Estimates(network, weights, features, labels).gradient(sigma=0.02)
    estimates = routed.Estimates(network, weights, features, labels)
    mean = np.zeros_like(single)
    for seed in range(300):
        estimates.signs = np.random.default_rng(seed).choice(np.float32([-1, 1]), estimates.signs.shape)
        mean += estimates.gradient(sigma=0.02, groups=groups) / 300
    assert mean @ single / np.linalg.norm(mean) / np.linalg.norm(single) > 0.97


def test_a_pickled_network_gives_the_same_bits():
    network, weights, features, labels = prepared(WORDS[0])
    received = routed.copied(network)
    inputs = Shared(with_ones(features))
    expected = network.forward(Dense(weights[np.newaxis]), inputs).tobytes()
    assert received.forward(Dense(weights[np.newaxis]), inputs).tobytes() == expected
    both = (routed.Estimates(each, weights, features, labels).gradient().tobytes() for each in (network, received))
    assert len(set(both)) == 1


def test_named_and_flat_weights_round_trip():
    network, weights, _, _ = prepared("6 moe3(5,4)")
    named = network.named(weights)
    assert {name: array.shape for name, array in named.items() if "mixture" in name} == {
        "mixture2.gate.weights": (6, 3),
        "mixture2.gate.biases": (3,),
        "mixture2.layer1.weights": (3, 6, 5),
        "mixture2.layer1.biases": (3, 5),
        "mixture2.layer2.weights": (3, 5, 4),
        "mixture2.layer2.biases": (3, 4),
    }
    assert network.flat(named).tobytes() == weights.tobytes()
    with pytest.raises(ValueError, match="mixture2: the experts' weights are"):
        routed.network("6 moe3(4,4)").flat(named)


def test_initial_weights_are_scaled_for_the_size_of_one_expert():
    network = routed.network("50 moe4(200)", inputs=100)
    named = network.named(network.start("glorot", 0))
    assert named["mixture2.layer1.weights"].std() == pytest.approx(np.sqrt(2 / 250), rel=0.03)
    assert named["mixture2.gate.weights"].std() == pytest.approx(np.sqrt(2 / 54), rel=0.2)
    assert not named["mixture2.layer1.biases"].any()
    assert not named["mixture2.gate.biases"].any()


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("moe1(8)", "expected a mixture such as moe4"),
        ("moe4()", "got 'moe4"),
        ("moe4", "got 'moe4'"),
        ("moe(8)", "got 'moe"),
        ("moe4(8,)", "a number of neurons such as 64 in each layer of the experts, got ''"),
        ("moe4(0)", "a number of neurons such as 64 in each layer of the experts, got '0'"),
        ("moe4(conv8x3)", "got 'conv8x3'"),
        ("mo4(8)", "expected one of"),
    ],
)
def test_meaningless_layer_words_are_refused_in_a_sentence(word, message):
    with pytest.raises(SettingError, match="layer") as caught:
        routed.network((8, word))
    assert message in str(caught.value)


def test_activations_are_given_per_inner_layer_or_once():
    with pytest.raises(SettingError, match=r"network.activation: expected 3, one per hidden layer, or 1 for all"):
        routed.network("8 moe2(8,8)", "relu relu")
    with pytest.raises(SettingError, match=r"network.precision: expected 3, one per layer .*, or 1 for all"):
        routed.network("8 moe2(8,8)", precision=("float32", "float32"))


def test_spiking_experts_are_refused(monkeypatch):
    class Spiking(Neurons):
        apply = None

    monkeypatch.setattr(Builder, "neurons", lambda self, if_one_for_all=None: Spiking())
    with pytest.raises(SettingError, match=r"network.activation: experts cannot spike"):
        routed.network("moe2(8)")


@pytest.mark.parametrize(
    ("strategy", "rounds", "accuracy"),
    [("node-perturbation", 150, 0.95), ("hill-climb", 400, 0.9), ("evolution-strategy", 200, 0.9), ("snes", 60, 0.9)],
)
def test_iris_is_learnt(strategy, rounds, accuracy, tmp_path):
    _, result = search(
        tmp_path, data="iris", layers="8,moe3(6,5)", strategy=strategy, rounds=rounds, scale=True, measure_every=10
    )
    assert result.accuracy >= accuracy


def test_a_resumed_run_takes_the_same_path(tmp_path):
    flags = {"data": "iris", "layers": "8,moe3(6,5)", "strategy": "node-perturbation", "measure_every": 5, "batch": 50}
    whole, _ = search(tmp_path / "whole", rounds=12, **flags)
    part, _ = search(tmp_path / "part", rounds=7, **flags)
    resume(part.path, rounds=5)
    assert contents(part.path) == contents(whole.path)
