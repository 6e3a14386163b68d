"""Recurrent layers and attention, each one call to torch: done again by layers whose nodes can be moved."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from module_networks import EXAMPLES, SIGMA, estimated, exact, experiments_of, gradient, inputs_of, made
from torch import nn

from distsearch.networks.modules.engine import exact as exactly
from distsearch.networks.modules.moves import Moves
from distsearch.networks.modules.pricing import priced
from distsearch.networks.modules.tape import Call, Recording
from distsearch.randomness import Stream, signs

STEPS, WIDTH = 4, 3


class Recurrent(nn.Module):
    """Sees all outputs of a recurrent layer, and its last states."""

    def __init__(self, kind, **settings) -> None:
        super().__init__()
        self.layer = kind(WIDTH, 4, **settings)
        self.outputs = nn.LazyLinear(3)
        self(torch.zeros(2, STEPS * WIDTH))

    def forward(self, x):
        x = x.view(-1, STEPS, WIDTH)
        first = self.layer.batch_first
        found, state = self.layer(x if first else x.transpose(0, 1))
        last = (
            torch.cat([each.transpose(0, 1).flatten(1) for each in state], 1) if isinstance(state, tuple) else state[0]
        )
        return self.outputs(torch.cat([(found if first else found.transpose(0, 1)).flatten(1), last], 1))


class Cell(nn.Module):
    """A cell that is called by hand for each step."""

    def __init__(self, kind) -> None:
        super().__init__()
        self.cell, self.outputs = kind(WIDTH, 4), nn.Linear(4, 3)

    def forward(self, x):
        state = None
        for step in x.view(-1, STEPS, WIDTH).unbind(1):
            state = self.cell(step, state)
        return self.outputs(state[0] if isinstance(state, tuple) else state)


class Attending(nn.Module):
    """Attention to itself, or of the first steps to all, perhaps with masks, and with what it says of its weights."""

    def __init__(self, *, weights=False, masks=False, cross=False, **settings) -> None:
        super().__init__()
        self.inputs, self.attention = nn.Linear(WIDTH, 4), nn.MultiheadAttention(4, 2, batch_first=True, **settings)
        self.outputs = nn.Linear(4, 3)
        self.weights, self.masks, self.cross = weights, masks, cross

    def forward(self, x):
        x = x.view(-1, STEPS, WIDTH)
        query = self.inputs(x)
        key = x if self.attention.kdim != 4 else query
        masks = {}
        if self.masks:
            masks["attn_mask"] = torch.ones(STEPS, STEPS).triu(1).bool()
            masks["key_padding_mask"] = (x[:, :, 0] > 1) & (torch.arange(STEPS) > 0)
        if self.cross:
            query = query[:, :2]
        found, weights = self.attention(query, key, key, need_weights=self.weights, **masks)
        return self.outputs(found.mean(1)) * (1 if weights is None else weights.amax((1, 2))[:, None])


class Products(nn.Module):
    """Attention by torch's function, each step to those before it; the first sees nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.inputs, self.outputs = nn.Linear(WIDTH, 12), nn.Linear(4, 3)

    def forward(self, x):
        query, key, value = self.inputs(x.view(-1, STEPS, WIDTH)).chunk(3, -1)
        hidden = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        masked = F.scaled_dot_product_attention(query, key, value, torch.ones(STEPS, STEPS).tril(-1).bool(), scale=0.7)
        return self.outputs((hidden + masked).mean(1))


class Each(nn.Module):
    """A layer that is called by hand for each step, without a state."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.outputs = nn.Linear(WIDTH, 4), nn.Linear(4, 3)

    def forward(self, x):
        steps = [torch.tanh(self.layer(step)) for step in x.view(-1, STEPS, WIDTH).unbind(1)]
        return self.outputs(torch.stack(steps, 1).amax(1) + steps[0] * steps[2])


def encoder():
    layer = nn.TransformerEncoderLayer(4, 2, 6, batch_first=True)
    return nn.Sequential(nn.Unflatten(1, (STEPS, WIDTH)), nn.Linear(WIDTH, 4), layer, nn.Flatten(), nn.Linear(16, 3))


FACTORIES = {
    "lstm": lambda: Recurrent(nn.LSTM, batch_first=True),
    "lstm-both-ways": lambda: Recurrent(nn.LSTM, num_layers=2, bidirectional=True),
    "lstm-projected": lambda: Recurrent(nn.LSTM, proj_size=2),
    "gru": lambda: Recurrent(nn.GRU),
    "gru-without-biases": lambda: Recurrent(nn.GRU, bias=False, batch_first=True),
    "rnn": lambda: Recurrent(nn.RNN, nonlinearity="relu"),
    "lstm-cell": lambda: Cell(nn.LSTMCell),
    "gru-cell": lambda: Cell(nn.GRUCell),
    "rnn-cell": lambda: Cell(nn.RNNCell),
    "attention": Attending,
    "attention-masked": lambda: Attending(masks=True, weights=True),
    "attention-cross": lambda: Attending(cross=True, weights=True),
    "attention-other-widths": lambda: Attending(kdim=WIDTH, vdim=WIDTH),
    "products": Products,
    "each": Each,
    "encoder": encoder,
}


@pytest.mark.parametrize("name", FACTORIES)
@pytest.mark.filterwarnings("ignore:LSTM with projections")
def test_layers_inside_are_seen_and_moved(name):
    network = made(FACTORIES[name], (STEPS * WIDTH,))
    biases = 12 if name == "attention-other-widths" else 0  # which torch keeps in one for three layers
    assert network.weights_count - network.parameters.loose == biases
    weights, inputs, labels = network.start(None, 1), inputs_of(STEPS * WIDTH), np.arange(EXAMPLES) % 3
    examples = network.examples(inputs)
    with exactly():
        expected = network.module(examples)
        with Recording({}, set(), [examples]):
            found = network.module(examples)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    truth = exact(network, weights, inputs, labels)
    estimate = estimated(network, weights, inputs, labels, 8)
    assert estimate @ truth / np.sqrt((estimate @ estimate) * (truth @ truth)) > 0.8


@pytest.mark.parametrize(
    "name", ["lstm-both-ways", "gru", "gru-cell", "attention-masked", "products", "each", "encoder"]
)
def test_a_record_gives_what_the_module_s_python_gives(name):
    experiments = experiments_of(FACTORIES[name], (STEPS * WIDTH,), 3)
    assert experiments._replay is not None
    together = gradient(experiments, 2, 0.3)
    experiments._replay = None
    one_by_one = gradient(experiments, 2, 0.3)
    np.testing.assert_allclose(together, one_by_one, rtol=1e-3, atol=2e-4 * np.abs(one_by_one).max())


def test_each_step_has_its_own_moves_and_only_layers_of_the_same_inputs_share_them():
    gru = {each.layer.weight: each for each in made(FACTORIES["gru"], (STEPS * WIDTH,)).anatomy.layers}
    below, before = gru["layer.weight_ih_l0"], gru["layer.weight_hh_l0"]
    assert (below.nodes, below.places, before.nodes, before.places) == (12, STEPS, 12, STEPS)
    assert (below.calls, before.calls) == ([0], [0, 1, 2, 3])
    attention = {each.layer.weight: each for each in made(FACTORIES["attention"], (STEPS * WIDTH,)).anatomy.layers}
    assert attention["attention.in_proj_weight"].calls == [0]


def test_both_matrices_of_a_recurrent_layer_share_its_moves_where_their_sums_are_added():
    sums, outputs = made(FACTORIES["lstm"], (STEPS * WIDTH,)).anatomy.layers
    names = [f"layer.{name}_l0" for name in ("weight_ih", "bias_ih", "weight_hh", "bias_hh")]
    assert list(sums.layer.names) == names
    assert (sums.nodes, sums.places, sums.width, sums.calls) == (16, STEPS, WIDTH + 1 + 4 + 1, [0, 1, 2, 3])
    assert outputs.layer.weight == "outputs.weight"


def test_a_recurrent_layer_of_which_a_part_is_frozen_has_moves_for_the_rest():
    def factory():
        module = Recurrent(nn.LSTM)
        module.layer.weight_ih_l0.requires_grad_(False)
        return module

    network = made(factory, (STEPS * WIDTH,))
    assert [each.layer.weight for each in network.anatomy.layers] == ["layer.weight_hh_l0", "outputs.weight"]
    weights, inputs, labels = network.start(None, 1), inputs_of(STEPS * WIDTH), np.arange(EXAMPLES) % 3
    truth, estimate = exact(network, weights, inputs, labels), estimated(network, weights, inputs, labels, 8)
    assert estimate @ truth / np.sqrt((estimate @ estimate) * (truth @ truth)) > 0.8


def test_a_part_of_a_recurrent_layer_s_nodes_by_itself_has_the_same_bits():
    network = made(FACTORIES["lstm"], (STEPS * WIDTH,))
    weights, inputs, labels = network.start(None, 1), inputs_of(STEPS * WIDTH), np.arange(EXAMPLES) % 3
    moves = sum(layer.nodes * layer.places for layer in network.node_layers)
    ends = [0, 6 * STEPS, 12 * STEPS, 16 * STEPS, moves]
    whole = estimated(network, weights, inputs, labels, groups=8, ends=ends)
    experiments = experiments_of(FACTORIES["lstm"], (STEPS * WIDTH,), 3)
    rows, width = np.empty((6, network.node_layers[0].width), np.float32), network.node_layers[0].width
    drawn = signs(1, Stream.SIGNS, 0, 0, 0, moves, 64)[:, :EXAMPLES]
    experiments.gradient(ends[1:3], drawn[ends[1] : ends[2]], SIGMA, 8, rows.reshape(-1))
    assert np.array_equal(rows.reshape(-1), np.float32(whole[6 * width : 12 * width]))


def test_runs_of_steps_begin_where_they_are_moved():
    experiments = experiments_of(FACTORIES["lstm"], (STEPS * WIDTH,), 3)
    moves, _ = experiments._moves(experiments._subject.layers[0], slice(0, 16))
    together, _ = moves.experiments(8, 2)
    assert [places for _, places in together] == [slice(0, 3, 1)] * 2 + [slice(3, 4, 1)] * 2
    steps = torch.ones(16, STEPS, EXAMPLES)
    added = moves.added(together, steps)
    assert [(each.first, each.end) for each in added] == [(0, 2)] * 3 + [(2, 4)]
    assert float(added[3].values.values.sum()) == 2 * 8 * EXAMPLES
    later = moves.added(together[2:], steps)
    assert [each is None for each in later] == [True, True, True, False]


@pytest.mark.parametrize(("steps", "parts"), [(4, 4), (28, 10), (5, 3), (200, 10), (11, 10)])
def test_later_runs_are_shorter_and_together_they_have_each_step_once(steps, parts):
    calls = [Call(None, None, torch.empty(EXAMPLES, 16)) for _ in range(steps)]
    found = made(FACTORIES["lstm"], (STEPS * WIDTH,)).anatomy.layers[0]
    moves = Moves(replace(found, calls=list(range(steps)), places=steps), calls, slice(0, 16), EXAMPLES)
    runs = [places for _, places in moves.experiments(16, parts)[0]]
    lengths = [each.stop - each.start for each in runs]
    assert len(runs) == parts
    assert [each for run in runs for each in range(run.start, run.stop)] == list(range(steps))
    assert 1 <= lengths[-1] <= max(1, steps // parts // 2)
    assert all(later <= earlier + 1 for earlier, later in pairwise(lengths))  # a step more is one of rounding


def test_calls_of_torch_are_shared_by_equal_groups_of_a_recurrent_layer():
    """A unit that is not worth its calls is none, and groups of other sizes would be computed apart."""
    network = made(lambda: Recurrent(nn.LSTM), (STEPS * WIDTH,))
    (found, *_), anatomy = network.anatomy.layers, network.anatomy
    few, many = (
        priced(anatomy._replace(layers=(replace(found, operations=count),)), 0, on_gpu=False)[0] for count in (1, 1000)
    )
    assert many.worth > 100 * few.worth
    share = (1 + 4 + 9 + 16) / 4**3  # of the steps, that follow the begin of a run
    dear = replace(found, nodes=128, price=anatomy.products * 16 / 5 / found.inputs / share * 0.999)
    assert priced(anatomy._replace(layers=(dear,)), 0, on_gpu=False)[0].groups == 4  # not the 5 that it affords


class Packed(nn.Module):
    def __init__(self, kind) -> None:
        super().__init__()
        self.layer, self.outputs = kind(WIDTH, 4, batch_first=True), nn.Linear(4, 3)

    def forward(self, x):
        x = x.view(-1, STEPS, WIDTH)
        lengths = torch.arange(len(x)) % STEPS + 1
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        found, _ = nn.utils.rnn.pad_packed_sequence(self.layer(packed)[0], batch_first=True)
        return self.outputs(found[:, 0])


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_packed_sequences_stay_one_call(kind):
    network = made(lambda: Packed(kind), (STEPS * WIDTH,))
    assert [each.layer.weight for each in network.anatomy.layers] == ["outputs.weight"]
