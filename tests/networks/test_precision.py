import pickle
from itertools import pairwise

import numpy as np
import pytest
from problems import task_for, told
from searches import contents, resume, search

from distsearch import strategies
from distsearch.candidates.base import Candidates, Dense, Shared
from distsearch.candidates.pairs import FullRank, LowRank, Pairs, Products, factors_width
from distsearch.data import datasets
from distsearch.errors import SettingError
from distsearch.networks.building import Design
from distsearch.networks.kinds import network_of
from distsearch.networks.network import Network
from distsearch.networks.precision import PRECISIONS, WholeSteps
from distsearch.objectives import losses
from distsearch.objectives.batches import with_ones
from distsearch.objectives.network import NetworkObjective
from distsearch.randomness import Stream, noise

Array = np.ndarray

FEW_BITS = ("int8", "ternary", "binary")


def precision(name: str) -> WholeSteps:
    found = PRECISIONS.find(name)
    assert isinstance(found, WholeSteps)
    return found


def rounded(name: str, matrix: Array) -> Array:
    """By hand, weight by weight: a matrix (rows, inputs + 1)."""
    if name == "float32":
        return matrix.astype(np.float64)
    step = precision(name).step(matrix.shape[1] - 1)
    found = np.empty(matrix.shape)
    for row, column in np.ndindex(matrix.shape):
        steps, bias = float(matrix[row, column]) / step, column == matrix.shape[1] - 1
        if bias or name == "int8":
            found[row, column] = min(max(round(steps), -127), 127) * step
        elif name == "ternary":
            found[row, column] = 0 if abs(steps) <= 0.5 else step if steps > 0 else -step
        else:
            found[row, column] = step if steps >= 0 else -step
    return found


@pytest.mark.parametrize("name", FEW_BITS)
@pytest.mark.parametrize("inputs", [1, 6, 30])
def test_weights_are_rounded_to_the_nearest_value_of_their_bits(name, inputs):
    matrices = noise(0, Stream.DATA, 0, 0, 3, 5 * (inputs + 1)).reshape(3, 5, inputs + 1) * np.float32(0.4)
    matrices[0, 0, 0], matrices[0, 1, 0], matrices[0, 2, -1] = 0, 100, -100
    before = matrices.tobytes()
    found = precision(name).rounded(matrices)
    assert found.dtype == np.float32
    assert found.tolist() == [rounded(name, matrix).tolist() for matrix in matrices]
    assert matrices.tobytes() == before
    assert (precision(name).steps(matrices) * precision(name).step(inputs)).tolist() == found.tolist()
    assert len(np.unique(precision(name).steps(matrices)[..., :-1])) <= 2 ** precision(name).bits


@pytest.mark.parametrize("name", FEW_BITS)
def test_rounding_twice_changes_nothing(name):
    matrix = noise(0, Stream.DATA, 0, 0, 5, 9)
    once = precision(name).rounded(matrix)
    assert precision(name).rounded(once).tobytes() == once.tobytes()


@pytest.mark.parametrize(
    ("name", "inputs", "step"),
    [("int8", 128, 2**-7), ("int8", 784, 2**-8), ("int8", 2, 2**-4), ("binary", 784, 2**-4), ("ternary", 256, 2**-3)],
)
def test_steps_are_powers_of_two_that_depend_on_the_number_of_inputs(name, inputs, step):
    assert precision(name).step(inputs) == step


def network_with(*precisions: str, activation: str = "tanh") -> Network:
    return network_of(Design((7, 6), (activation,), precisions), (4,), 3)


def by_hand(network: Network, weights: Array, inputs: Array, names: tuple[str, ...], hidden=np.tanh) -> Array:
    """The outputs, (outputs, examples), in float64; inputs are (features + 1, examples)."""
    values = inputs.astype(np.float64)
    for block, name in zip(network.blocks, names * 3, strict=False):
        values = rounded(name, block.matrix(weights)) @ values
        if block is not network.blocks[-1]:
            values = np.vstack([hidden(values), np.ones(values.shape[1])])
    return values


def candidates_of(kind: str, network: Network, center: Array) -> Candidates:
    """A center and two mirrored pairs."""
    pairs, products = Pairs(0, 5), Products()
    if kind == "low-rank":
        factors = noise(5, Stream.CANDIDATES, 0, 0, 2, factors_width(network.blocks, 2))
        return LowRank(pairs, center, products, network.blocks, factors, 2, 0.1)
    steps = noise(5, Stream.CANDIDATES, 0, 0, 2, network.weights_count) * np.float32(0.1)
    mirrored = FullRank(pairs, center, products, network.blocks, steps)
    return mirrored if kind == "mirrored" else Dense(mirrored.dense())


MIXED = ("float32", "int8", "binary")
INPUTS = with_ones(noise(1, Stream.DATA, 0, 0, 17, 4))


@pytest.mark.parametrize("kind", ["dense", "mirrored", "low-rank"])
@pytest.mark.parametrize("names", [*((each,) for each in FEW_BITS), MIXED])
def test_the_forward_pass_sees_the_rounded_weights(kind, names):
    network = network_with(*names)
    candidates = candidates_of(kind, network, network.start("he", 3))
    outputs = network.forward(candidates, Shared(INPUTS)).copy()
    for weights, found in zip(candidates.dense(), outputs, strict=True):
        assert found == pytest.approx(by_hand(network, weights, INPUTS, names), abs=1e-5)
    traces = network.traces(candidates.dense()[0], INPUTS)
    assert traces[-1].activations == pytest.approx(outputs[0], abs=1e-5)


@pytest.mark.parametrize("names", [("binary",), ("ternary", "float32", "int8")])
@pytest.mark.parametrize("activation", ["relu", "sign"])
def test_moving_a_node_measures_the_loss_of_the_rounded_network(names, activation):
    """Each example's slope, times the layer's inputs, is the gradient of the latent weights."""
    objective = network_objective(names, activation)
    network, weights, train = objective.network, objective.network.start("he", 1), objective.batches.train
    examples, sigma = len(train), 0.3
    nodes = sum(block.rows for block in network.blocks)
    signs = np.where(noise(3, Stream.DATA, 0, 0, nodes, examples) > 0, np.float32(1), np.float32(-1))
    estimated = np.full_like(weights, np.nan)
    objective.nodes.experiments(weights, 0, slice(None)).gradient([0, nodes], signs, sigma, 99, estimated)

    matrices = [rounded(name, block.matrix(weights)) for block, name in zip(network.blocks, names * 3, strict=False)]
    hidden = {"relu": lambda x: np.maximum(x, 0), "sign": lambda x: np.where(x >= 0, 1, -1)}[activation]

    def passed(moved: int | None, row: int, steps: Array | float) -> tuple[list[Array], Array]:
        """Each layer's inputs and each example's loss, with one row of a layer's nodes moved by these steps."""
        values, inputs = train.inputs.astype(np.float64), []
        for number, matrix in enumerate(matrices):
            inputs.append(values)
            values = matrix @ values
            if number == moved:
                values[row] += steps
            if number < 2:
                values = np.vstack([hidden(values), np.ones(examples)])
        return inputs, np.log(np.exp(values).sum(axis=0)) - (values * train.targets).sum(axis=0)

    inputs, before = passed(None, 0, 0.0)
    node = 0
    for number, block in enumerate(network.blocks):
        size = sigma * np.sqrt(2 * np.square(inputs[number][:-1]).mean())
        for row in range(block.rows):
            steps = signs[node].astype(np.float64) * size
            if activation == "sign" and number < 2:  # it is moved to its threshold
                steps = np.where(matrices[number][row] @ inputs[number] >= 0, -size, size)
            slopes = (passed(number, row, steps)[1] - before) / steps
            assert block.matrix(estimated)[row] == pytest.approx(inputs[number] @ slopes, rel=1e-3, abs=0.02)
            node += 1


def network_objective(names: tuple[str, ...], activation: str = "sign", batch: int | None = None) -> NetworkObjective:
    iris = datasets.load("iris", numbers=False)
    return NetworkObjective.of(iris, network_with(*names, activation=activation), losses.create("cross-entropy"), batch)


@pytest.mark.parametrize("names", [("int8",), MIXED])
@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("hill-climb", {"population": 9}),
        ("evolution-strategy", {"population": 9, "rank": 0}),
        ("evolution-strategy", {"population": 9, "rank": 1}),
        ("snes", {"population": 9}),
        ("node-perturbation", {}),
    ],
)
def test_any_split_of_a_round_gives_the_same_bits_even_when_pickled(names, name, settings):
    objective = network_objective(names, batch=140)
    received = pickle.loads(pickle.dumps(objective))  # noqa: S301  (our own)
    strategy = strategies.create(name, settings, task_for(objective))
    state = strategy.init(objective.network.start("he", 0), 0)
    for _ in range(3):
        units = strategy.units(state)
        whole = strategy.work(state, objective, 0, units)
        ends = [*strategy.boundaries(state, objective)]
        parts = [strategy.work(state, received, lo, hi) for lo, hi in pairwise(sorted({0, *ends[1::2], units}))]
        after = told(strategy, state, parts)
        assert np.concatenate([part.losses for part in parts]).tobytes() == whole.losses.tobytes()
        state = told(strategy, state, [whole])
        assert after.center.tobytes() == state.center.tobytes()


def test_latent_weights_accumulate_moves_too_small_to_change_the_rounded_ones():
    """Half a step is crossed in four moves, none of which shows by itself."""
    latent, step = np.zeros((1, 2), np.float32), precision("int8").step(1)
    seen = []
    for _ in range(4):
        latent += np.float32(0.15 * step)
        seen.append(float(precision("int8").rounded(latent)[0, 0]))
    assert seen == [0, 0, 0, step]


@pytest.mark.parametrize("name", ["node-perturbation", "evolution-strategy"])
def test_a_stopped_run_of_few_bits_resumes_to_the_same_bytes(tmp_path, name):
    flags = {"data": "iris", "layers": [6, 5], "precision": ["float32", "int8", "ternary"], "activation": ["sign"]}
    whole, _ = search(tmp_path, name="whole", rounds=9, strategy=name, batch=50, **flags)
    part, _ = search(tmp_path, name="part", rounds=4, strategy=name, batch=50, **flags)
    resume(part.path, rounds=5)
    assert contents(part.path) == contents(whole.path)


HUNDREDTHS = """
import numpy as np
from distsearch.networks.precision import Precision

class Hundredths(Precision):
    bits = 8

    def rounded(self, matrices):
        return np.clip(np.rint(matrices * np.float32(100)), -128, 127) * np.float32(0.01)

int8 = Hundredths()
"""


def test_a_custom_precision_is_used_and_remembered(tmp_path, monkeypatch):
    (tmp_path / "hundredths.py").write_text(HUNDREDTHS)
    monkeypatch.syspath_prepend(tmp_path)
    network = network_with("float32", "hundredths:int8", "float32")
    weights = network.start("he", 3)
    middle = network.blocks[1].matrix(weights)
    middle[0, 0], middle[1, 1] = 2, -2
    seen = weights.copy()
    network.blocks[1].matrix(seen)[:] = np.clip(np.round(middle * 100), -128, 127) / 100
    found = network.forward(Dense(weights[np.newaxis]), Shared(INPUTS))[0]
    assert found == pytest.approx(by_hand(network, seen, INPUTS, ("float32",)), abs=1e-5)
    stored, _ = search(tmp_path, name="a", rounds=2, precision=["hundredths:int8"])
    assert [(each["kind"], each["name"]) for each in stored.manifest.code] == [("precision", "hundredths:int8")]


def test_an_unknown_precision_is_refused_with_the_nearest():
    with pytest.raises(SettingError, match="unknown precision 'int9': did you mean 'int8'"):
        network_with("int9")


def test_precisions_are_given_per_layer_or_once():
    expected = (
        r"network.precision: expected 3, one per layer and one for the output layer, or 1 for all, got 2 \(int8,b"
    )
    with pytest.raises(SettingError, match=expected):
        network_with("int8", "binary")
