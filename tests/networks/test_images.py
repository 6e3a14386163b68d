"""Convolutions, pooling, normalisation and residual blocks."""

import pickle

import numpy as np
import pytest
from experiments import central_differences, gradient_of, in_parts, moves_of

from distsearch.candidates.base import Dense, Shared
from distsearch.candidates.pairs import FullRank, LowRank, Pairs, Products, factors_width
from distsearch.errors import SettingError
from distsearch.networks.building import Design
from distsearch.networks.changes import Change, Everything
from distsearch.networks.kinds import network_of
from distsearch.networks.layers.base import Movable
from distsearch.networks.network import Network
from distsearch.networks.spikes import Spikes
from distsearch.objectives.batches import with_ones
from distsearch.text import words

SHAPE = (8, 9, 2)  # height, width, channels


def network(text: str, activation: str = "tanh", shape=SHAPE) -> Network:
    return network_of(Design(tuple(words(text)), (activation,)), shape, 3)


def images(count: int, seed: int = 0) -> np.ndarray:
    """Examples, (count, height · width · channels)."""
    return np.random.default_rng(seed).normal(size=(count, int(np.prod(SHAPE)))).astype(np.float32)


def weights_of(made: Network, seed: int = 1) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(size=made.weights_count).astype(np.float32)
    return made.start("he", seed) + np.float32(0.1) * drawn


def outputs(made: Network, weights: np.ndarray, examples: np.ndarray) -> np.ndarray:
    """(examples, outputs)."""
    return made.forward(Dense(weights[np.newaxis]), Shared(with_ones(examples)))[0].T.copy()


def convolved(
    seen: np.ndarray, kernel: np.ndarray, biases: np.ndarray, stride: int = 1, padding: int = 0
) -> np.ndarray:
    """A convolution by definition: seen (channels, height, width), kernel (channels, channels seen, size, size)."""
    seen = np.pad(seen, [(0, 0), (padding, padding), (padding, padding)])
    size = kernel.shape[2]
    rows, columns = ((extent - size) // stride + 1 for extent in seen.shape[1:])
    made = np.empty((len(kernel), rows, columns))
    for row in range(rows):
        for column in range(columns):
            window = seen[:, row * stride : row * stride + size, column * stride : column * stride + size]
            made[:, row, column] = np.tensordot(kernel, window, 3) + biases
    return made


def pooled(seen: np.ndarray, take) -> np.ndarray:
    """2 × 2 pooling by its definition."""
    rows, columns = seen.shape[1] // 2, seen.shape[2] // 2
    return np.array(
        [
            [[take(channel[2 * r : 2 * r + 2, 2 * c : 2 * c + 2]) for c in range(columns)] for r in range(rows)]
            for channel in seen
        ]
    )


def channels_first(example: np.ndarray) -> np.ndarray:
    return example.reshape(SHAPE).transpose(2, 0, 1).astype(np.float64)


@pytest.mark.parametrize(
    ("text", "stride", "padding", "take"),
    [
        ("conv4x3", 1, 0, None),
        ("conv4x3s2p1", 2, 1, None),
        ("conv4x3,pool2", 1, 0, np.max),
        ("conv4x3,avgpool2", 1, 0, np.mean),
    ],
)
def test_a_convolution_matches_its_definition(text, stride, padding, take):
    made, examples = network(text), images(5)
    weights = weights_of(made)
    arrays = made.named(weights)
    for example, found in zip(examples, outputs(made, weights, examples), strict=True):
        sums = convolved(channels_first(example), arrays["conv1.weights"], arrays["conv1.biases"], stride, padding)
        hidden = np.tanh(sums if take is None else pooled(sums, take)).ravel()
        assert found == pytest.approx(hidden @ arrays["dense2.weights"] + arrays["dense2.biases"], abs=1e-4)


def test_channel_groups_see_only_their_own_inputs():
    made, examples = network("conv4x3g2"), images(3)
    weights = weights_of(made)
    arrays = made.named(weights)
    assert arrays["conv1.weights"].shape == (4, 1, 3, 3)
    for example, found in zip(examples, outputs(made, weights, examples), strict=True):
        seen, kernel, biases = channels_first(example), arrays["conv1.weights"], arrays["conv1.biases"]
        halves = [convolved(seen[half : half + 1], kernel[2 * half :][:2], biases[2 * half :][:2]) for half in (0, 1)]
        hidden = np.tanh(np.concatenate(halves)).ravel()
        assert found == pytest.approx(hidden @ arrays["dense2.weights"] + arrays["dense2.biases"], abs=1e-4)


def test_a_residual_block_adds_its_inputs_before_the_last_activation():
    made, examples = network("5,res(7,5)"), images(4)
    weights = weights_of(made)
    arrays = {name: array.astype(np.float64) for name, array in made.named(weights).items()}
    below = np.tanh(examples @ arrays["dense1.weights"] + arrays["dense1.biases"])
    inner = np.tanh(below @ arrays["res2.1.weights"] + arrays["res2.1.biases"])
    joined = np.tanh(below + inner @ arrays["res2.2.weights"] + arrays["res2.2.biases"])
    expected = joined @ arrays["dense3.weights"] + arrays["dense3.biases"]
    assert outputs(made, weights, examples) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("text", "axes"),
    [("conv4x3,layernorm", (0,)), ("conv4x3,groupnorm1", (0, 1, 2)), ("6,layernorm", (0,))],
)
def test_normalised_activations_have_mean_0_and_variance_1(text, axes):
    made, examples = network(text), images(6)
    weights = weights_of(made)
    traces = made.traces(weights, with_ones(examples))
    values = traces[1].activations[:-1].reshape(*made.layers[1].shape, 6)
    assert values.mean(axis=axes) == pytest.approx(0, abs=1e-4)
    assert values.var(axis=axes) == pytest.approx(1, abs=0.02)


NETWORKS = [
    "conv3x3",
    "conv3x3,pool2,4",
    "conv3x3p1,avgpool2,conv4x2,5",
    "conv4x3s2p1,conv3x2,4",
    "conv4x3,conv4x3,conv3x2p1,pool2,5",
    "conv4x3g2,pool2,conv6x2g2,5",
    "pool2,conv3x2,4",
    "conv3x4s3,pool2,4",
    "conv4x3,conv4x1s2,4",
    "conv3x3,conv3x2s3,4",
    "conv4x3,pool2,res(conv4x3,conv4x3),conv5x1s2,4",
    "conv4x3,res(conv4x3,conv4x3),pool2,4",
    "6,res(6,6),4",
    "conv4x3,layernorm,conv3x3,avgpool2,5",
    "conv4x3,pool2,res(conv4x3,groupnorm2,conv4x3),avgpool2,layernorm,4",
]


@pytest.mark.parametrize("text", NETWORKS)
def test_node_by_node_the_estimate_is_the_gradient(text):
    made, examples = network(text), images(6)
    weights = weights_of(made)
    estimated, expected = gradient_of(made, weights, examples), central_differences(made, weights, examples)
    assert np.linalg.norm(estimated - expected) < 0.04 * np.linalg.norm(expected)  # the largest of a square may change


@pytest.mark.parametrize("text", NETWORKS)
@pytest.mark.parametrize("groups", [1, 2, None])
def test_part_of_the_nodes_gives_the_same_bits_as_among_all(text, groups):
    made, examples = network(text, "relu"), images(9)
    weights = weights_of(made)
    whole = gradient_of(made, weights, examples, groups=groups)
    assert in_parts(made, weights, examples, groups).tobytes() == whole.tobytes()


def after_all(movable: Movable, change: Change, outputs: np.ndarray) -> np.ndarray:
    for stage, trace in movable.above:
        change = stage.after(trace, change)
    return change.everything(outputs)


@pytest.mark.parametrize("text", NETWORKS)
@pytest.mark.parametrize("activation", ["relu", "lif"])
@pytest.mark.parametrize("group", [1, 2])
def test_a_move_reaches_exactly_what_changes_when_everything_is_recomputed(text, activation, group):
    """Nothing outside the windows that see the place changes, over time as well; residual blocks cannot spike."""
    kinds = ("relu" if "res" in text else activation,)
    made = network_of(Design(tuple(words(text)), kinds, spikes=Spikes(4)), SHAPE, 3)
    traces = made.traces(np.float32(1.5) * weights_of(made), with_ones(np.abs(images(5))))
    drawn, outputs = np.random.default_rng(2), traces[-1].activations
    for movable in made.movable(traces):
        nodes = movable.nodes
        steps = drawn.choice(np.float32([-1, 1]), (nodes.nodes, 5))
        for place in range(0, nodes.places, 3):
            part = nodes.moved(movable.trace, steps.copy(), slice(0, nodes.nodes), group, place)
            whole = Everything(part.everything(movable.trace.activations))
            expected = after_all(movable, whole, outputs)
            assert after_all(movable, part, outputs) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("text", ["conv4x3,conv4x3,4", "conv4x3,pool2,res(conv4x3,conv4x3),4"])
def test_in_groups_the_estimate_is_the_gradient_on_average(text):
    made, examples = network(text), images(4)
    weights = weights_of(made)
    mean = np.mean([gradient_of(made, weights, examples, seed, groups=1) for seed in range(300)], axis=0)
    expected = central_differences(made, weights, examples)
    assert mean @ expected / np.linalg.norm(mean) / np.linalg.norm(expected) > 0.95
    assert np.linalg.norm(mean) == pytest.approx(np.linalg.norm(expected), rel=0.2)


@pytest.mark.parametrize("text", ["conv3x3,pool2,conv4x2,5", "conv4x3g2,res(conv4x3,conv4x3),4"])
@pytest.mark.parametrize("kind", ["full rank", "low rank"])
def test_dense_mirrored_and_low_rank_candidates_work_with_convolutions(text, kind):
    made, inputs = network(text), Shared(with_ones(images(7)))
    center, pairs = weights_of(made), Pairs(0, 5)
    noise = np.random.default_rng(3)
    if kind == "full rank":
        steps = np.float32(0.1) * noise.normal(size=(2, made.weights_count)).astype(np.float32)
        candidates = FullRank(pairs, center, Products(), made.blocks, steps)
    else:
        factors = noise.normal(size=(2, factors_width(made.blocks, 2))).astype(np.float32)
        candidates = LowRank(pairs, center, Products(), made.blocks, factors, 2, 0.1)
    expected = made.forward(Dense(candidates.dense()), inputs).copy()
    assert made.forward(candidates, inputs) == pytest.approx(expected, abs=1e-4)


def test_a_candidate_gives_the_same_bits_as_alone():
    made, inputs = network("conv3x3,pool2,conv4x2,5"), Shared(with_ones(images(7)))
    weights = np.stack([weights_of(made, seed) for seed in range(4)])
    together = made.forward(Dense(weights), inputs).copy()
    alone = [made.forward(Dense(weights[[number]]), inputs)[0].copy() for number in range(4)]
    assert np.stack(alone).tobytes() == together.tobytes()
    thawed = pickle.loads(pickle.dumps(made))  # noqa: S301
    assert thawed.forward(Dense(weights), inputs).tobytes() == together.tobytes()


@pytest.mark.parametrize("text", ["conv4x3g2,pool2,res(conv4x3,conv4x3),layernorm,5"])
def test_tensors_convert_back_to_the_same_weights(text):
    made = network(text)
    weights = weights_of(made)
    assert made.flat(made.named(weights)).tobytes() == weights.tobytes()
    with pytest.raises(ValueError, match="conv1"):
        network("conv5x3,pool2,5").flat(made.named(weights))


@pytest.mark.parametrize(
    ("text", "shape", "sentence"),
    [
        ("conv4x3", (6,), "conv4x3 needs images: a source of images, or --shape height,width,channels for a table"),
        ("conv4x9", SHAPE, "conv4x9 sees 9 × 9, which must not be more than its image has; so far: inputs 8 × 9 × 2"),
        ("conv4x3,pool2,pool2,pool2", SHAPE, "pool2 must not be larger than the image; so far: inputs 8 × 9 × 2, conv"),
        ("conv4x3,5,conv4x3", SHAPE, "needs images"),
        ("conv4", SHAPE, "expected channels and size such as conv16x5"),
        ("conv0x3", SHAPE, "expected numbers above 0 in conv0x3, got '0'"),
        ("conv-4x3", SHAPE, "expected channels and size such as conv16x5"),
        ("conv4x3p3", SHAPE, "conv4x3p3 has 3 rows of zeros around its image, of which it sees only 2; so far"),
        ("conv4x3p" + "9" * 5000, SHAPE, "expected channels and size such as conv16x5"),
        ("-3", SHAPE, "expected a number of neurons such as 64, got '-3'"),
        (
            "5," + "res(" * 1000 + "5" + ")" * 1000,
            SHAPE,
            "expected at most 20 brackets within brackets, got '(res(res(",
        ),
        ("conv3x3g2", SHAPE, "has 2 groups, which must divide the channels"),
        ("pool", SHAPE, "expected a size such as pool2, got ''"),
        ("res(conv4x3)", SHAPE, "res(conv4x3) needs a layer before it"),
        ("conv4x3,res(conv5x3)", SHAPE, "must return the shape that it is given, but returns 5 × 6 × 7"),
        ("conv4x3,res(conv4x3,layernorm)", SHAPE, "must end with a layer that has weights"),
        ("conv4x3,res", SHAPE, "expected layers between brackets"),
        ("conv4x3,groupnorm3", SHAPE, "has 3 groups, which must divide the channels"),
        ("conv4x3,layernorm2", SHAPE, "takes no number"),
        ("relu", SHAPE, "unknown layer 'relu': it is an activation: give it as --activation relu"),
        ("5,leaky-relu", SHAPE, "unknown layer 'leaky-relu': it is an activation: give it as --activation leaky-relu"),
        ("Flatten,5", SHAPE, "unknown layer 'Flatten': leave it out"),
        ("conv3x3,batchnorm", SHAPE, "choose layernorm or groupnorm4"),
        ("con4x3", SHAPE, "unknown layer 'con': did you mean 'conv'?"),
    ],
)
def test_invalid_layers_are_refused_in_one_sentence(text, shape, sentence):
    with pytest.raises(SettingError) as error:
        network(text, shape=shape)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_kinds_of_layers_may_be_called_as_elsewhere():
    assert network("Conv3x3,MaxPool2,Linear5").described() == network("conv3x3,pool2,5").described()


def test_moves_are_numbered_by_channel_and_place():
    made = network("conv3x3,pool2,4")
    assert moves_of(made) == 3 * 9 + 4 + 3
