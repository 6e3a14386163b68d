"""The kinds of layers, and the network that a design makes of them."""

import math
from collections.abc import Iterable, Iterator

from distsearch.networks.activations import ACTIVATIONS
from distsearch.networks.building import DENSE, Builder, Design, Maker, Word, inner_words, parsed
from distsearch.networks.layers import (
    attention,
    convolution,
    dense,
    mixture,
    normalisation,
    pooling,
    recurrent,
    residual,
)
from distsearch.networks.layers.membrane import Membrane
from distsearch.networks.network import Network
from distsearch.networks.spikes import RateCode
from distsearch.registry import Registry

_OURS: dict[str, Maker] = {
    DENSE: dense.from_word,
    "r": recurrent.from_word,
    "conv": convolution.from_word,
    "pool": pooling.largest_from_word,
    "avgpool": pooling.mean_from_word,
    "layernorm": normalisation.layer_from_word,
    "groupnorm": normalisation.group_from_word,
    "res": residual.from_word,
    "moe": mixture.from_word,
    "attention": attention.from_word,
}
KINDS: Registry[Maker] = Registry(
    "layer",
    "layers",
    _OURS,
    callable,
    "a function of the rest of a word and a distsearch.networks.building.Builder, which returns a layer",
    {
        **dict.fromkeys(("linear", "fc", "fully-connected"), DENSE),
        **dict.fromkeys(("convolution", "convolutional"), "conv"),
        **dict.fromkeys(("maxpool", "maxpooling"), "pool"),
        **dict.fromkeys(("averagepool", "meanpool"), "avgpool"),
        **dict.fromkeys(("residual", "resblock"), "res"),
        **dict.fromkeys(("mixture", "experts"), "moe"),
    },
    {
        **{
            name: f"it is an activation: give it as --activation {name}" for name in ACTIVATIONS.own if name != "linear"
        },
        **dict.fromkeys(("flatten", "input", "output"), "leave it out, as it goes without saying"),
        **dict.fromkeys(("softmax", "log-softmax"), "leave it out, as it is part of the loss"),
        "dropout": "leave it out; --decay and --validation-share are what keeps a network from remembering",
        **dict.fromkeys(("batch-norm", "bn"), "each example is by itself here: choose layernorm or groupnorm4"),
        **dict.fromkeys(("lstm", "gru", "rnn"), "choose r64, of lif, or name a torch module with --model"),
    },
)
"""What makes each kind of layer, by the name that its words begin with; a number alone is a dense layer."""


def kinds_in(words: Iterable[Word]) -> Iterator[str]:
    """The names of the kinds of layers that words stand for, also of those between brackets."""
    for word in words:
        name, arguments = parsed(word)
        yield name
        yield from kinds_in(inner_words(arguments))


def network_of(design: Design, inputs: tuple[int, ...], outputs: int, bits: int | None = None) -> Network:
    """The network for examples of a shape, (features,) or (height, width, channels).

    bits: the examples' features are whole numbers, up to 2^bits, of a power of two that divides 1.
    Raises SettingError for what does not fit, before anything is allocated.
    """
    spikes = design.spikes
    spikes.check()
    builder = Builder(design, KINDS, inputs, bits=bits)
    code = RateCode(math.prod(inputs), spikes.time_steps) if design.spiking and spikes.encoding == "rate" else None
    builder.times = code.steps if code else 1
    for word in design.layers:
        builder.add(word)
    if builder.times > 1 and spikes.readout == "membrane":
        builder.layers.append(Membrane(builder.shape, spikes))
        builder.times, builder.bits = 1, None
    output = dense.output_layer(outputs, builder)
    builder.check_counts()
    return Network([*builder.layers, output], builder.matrices, code)


def dense_network(inputs: int, hidden: tuple[int, ...], outputs: int, activation: str) -> Network:
    """A network of dense layers with one hidden activation."""
    return network_of(Design(hidden, (activation,)), (inputs,), outputs)
