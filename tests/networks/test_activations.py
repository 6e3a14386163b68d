from collections.abc import Callable

import numpy as np
import pytest

from distsearch.candidates.base import Dense, Shared
from distsearch.config import from_flags, from_sections
from distsearch.config.sections import NetworkConfig
from distsearch.config.toml import read_toml, to_toml
from distsearch.errors import SettingError
from distsearch.networks.building import Design
from distsearch.networks.kinds import network_of
from distsearch.networks.network import Network
from distsearch.networks.nodes import NodeExperiments
from distsearch.objectives import losses
from distsearch.objectives.batches import with_ones
from distsearch.objectives.model import design_of
from distsearch.randomness import Stream, noise
from distsearch.search.assembly import assemble

Array = np.ndarray


def stairs(levels: int) -> Callable[[Array], Array]:
    return lambda x: np.floor(levels / (1 + np.exp(-x))) / levels


def rounded(levels: int) -> Callable[[Array], Array]:
    return lambda x: np.round(np.clip(x, 0, 1) * (levels - 1)) / (levels - 1)


def gelu(x: Array) -> Array:
    return x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


SMOOTH = {
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "gelu": gelu,
    "linear": lambda x: x,
}
BENT = {
    "relu": lambda x: np.maximum(x, 0),
    "leaky-relu": lambda x: np.where(x > 0, x, x / 100),
    "hard-tanh": lambda x: np.clip(x, -1, 1),
}
JUMPING = {
    "step": lambda x: np.where(x > 0, 1.0, 0.0),
    "sign": lambda x: np.where(x >= 0, 1.0, -1.0),
    "staircase": stairs(5),
    "quantized-relu": rounded(5),
}
ALL = SMOOTH | BENT | JUMPING


def by_hand(network: Network, weights: Array, features: Array, hidden: list[Callable[[Array], Array]]) -> Array:
    """The course's forward pass in float64, with a function per hidden layer: (examples, outputs)."""
    arrays = network.named(weights)
    values = features.astype(np.float64)
    for number, function in enumerate([*hidden, lambda sums: sums], start=1):
        values = function(values @ arrays[f"dense{number}.weights"] + arrays[f"dense{number}.biases"])
    return values


def outputs_of(network: Network, weights: Array, features: Array) -> Array:
    """The outputs of several sets of weights, (sets, examples, outputs)."""
    return network.forward(Dense(weights), Shared(with_ones(features))).transpose(0, 2, 1)


FEATURES = noise(1, Stream.DATA, 0, 0, 17, 4)


def network_with(*activation: str, levels: int = 5, layers: tuple[int, ...] = (6, 5)) -> tuple[Network, Array]:
    """A network of 4 inputs and 3 outputs, and six sets of weights for it."""
    network = network_of(Design(layers, activation, levels=levels), (4,), 3)
    return network, noise(0, Stream.CANDIDATES, 0, 0, 6, network.weights_count)


@pytest.mark.parametrize("name", ALL)
def test_activations_match_their_formulas(name):
    network, weights = network_with(name)
    for candidate, found in zip(weights, outputs_of(network, weights, FEATURES), strict=True):
        assert found == pytest.approx(by_hand(network, candidate, FEATURES, [ALL[name]] * 2), abs=1e-4)


@pytest.mark.parametrize(("name", "function"), [("staircase", stairs), ("quantized-relu", rounded)])
@pytest.mark.parametrize("levels", [2, 4, 9])
def test_a_staircase_has_the_requested_number_of_levels(name, function, levels):
    network, weights = network_with(name, levels=levels)
    for candidate, found in zip(weights, outputs_of(network, weights, FEATURES), strict=True):
        assert found == pytest.approx(by_hand(network, candidate, FEATURES, [function(levels)] * 2), abs=1e-4)


def test_each_layer_can_have_its_own_activation():
    network, weights = network_with("relu", "step")
    for candidate, found in zip(weights, outputs_of(network, weights, FEATURES), strict=True):
        assert found == pytest.approx(by_hand(network, candidate, FEATURES, [ALL["relu"], ALL["step"]]), abs=1e-5)


def test_at_zero_sign_is_one_and_step_is_zero():
    features = np.array([[0], [-0.0]], np.float32)
    for name, at_zero in (("sign", 1), ("step", 0)):
        network = network_of(Design((1,), (name,)), (1,), 1)
        weights = np.array([[1, 0, 1, 0]], np.float32)  # the hidden neuron sees x itself, the output the neuron
        assert outputs_of(network, weights, features).tolist() == [[[at_zero], [at_zero]]]


@pytest.mark.parametrize("name", SMOOTH)
def test_node_by_node_the_estimate_is_the_gradient(name):
    """Against central differences for each weight in float64."""
    network, weights = network_with(name)
    chosen, targets = weights[0] / 2, noise(2, Stream.DATA, 0, 0, 3, len(FEATURES))
    loss = losses.create("mean-squared-error")
    tried = NodeExperiments(network, chosen, with_ones(FEATURES), lambda outputs: loss.each(outputs, targets))
    signs = np.where(noise(3, Stream.DATA, 0, 0, 14, len(FEATURES)) > 0, np.float32(1), np.float32(-1))
    estimated = np.full_like(chosen, np.nan)
    tried.gradient([0, 14], signs, 0.005, 99, estimated)

    def summed(flat: Array) -> float:
        return float(((by_hand(network, flat, FEATURES, [ALL[name]] * 2) - targets.T) ** 2).mean(axis=1).sum())

    steps = np.eye(len(chosen)) * 1e-5
    expected = np.array([(summed(chosen + step) - summed(chosen - step)) / 2e-5 for step in steps])
    assert estimated == pytest.approx(expected, rel=0.05, abs=0.01 * np.abs(expected).max())


@pytest.mark.parametrize("name", JUMPING)
def test_a_network_knows_whether_its_activation_jumps(name):
    assert network_with(name)[0].jumps
    assert not network_with("relu")[0].jumps


def test_an_unknown_activation_is_refused_with_the_nearest():
    with pytest.raises(SettingError, match="did you mean 'staircase'"):
        network_with("relu", "stairs-case")


def test_activations_are_given_per_hidden_layer_or_once():
    expected = r"network.activation: expected 2, one per hidden layer, or 1 for all, got 3 \(relu,step,sign\)"
    with pytest.raises(SettingError, match=expected):
        network_with("relu", "step", "sign")


def test_levels_of_activations_without_any_are_refused():
    expected = "^network.levels: has no effect with the activation relu: .* the activation staircase or quantized-relu"
    with pytest.raises(SettingError, match=expected):
        assemble(from_flags({"levels": 3, "workers": 0}))


@pytest.mark.parametrize(("name", "usual"), [("activation", "relu"), ("precision", "float32")])
def test_there_is_at_least_one_activation_and_precision(name, usual):
    expected = rf"^network.{name}: expected a list of length >= 1, got \[\] \(the default is {usual}\)$"
    with pytest.raises(SettingError, match=expected):
        from_flags({name: ""})


def test_fewer_than_two_levels_are_refused():
    with pytest.raises(SettingError, match=r"network\.levels: .*2"):
        from_flags({"levels": 1})


def test_a_configuration_keeps_each_layer_s_activation_and_precision(tmp_path):
    config = from_flags(
        {"layers": [6, 5], "activation": ["relu", "staircase"], "precision": ["float32", "int8", "binary"], "levels": 7}
    )
    path = tmp_path / "config.toml"
    path.write_text(to_toml(config, None))
    again = from_sections(read_toml(path)).network
    precision = "float32", "int8", "binary"
    assert again == config.network
    assert again == NetworkConfig(layers=(6, 5), activation=("relu", "staircase"), levels=7, precision=precision)
    assert design_of(again) == Design((6, 5), ("relu", "staircase"), precision, 7)
