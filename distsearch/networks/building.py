"""What a network is to be, in words, and its layers in the making.

Each word of `layers` is a hidden layer: a number is a dense layer of that many neurons; other kinds begin with their
name, as in conv16x5.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate

from distsearch.candidates.blocks import Block
from distsearch.errors import SettingError, brief
from distsearch.networks.activations import ACTIVATIONS, LEVELS, WITH_LEVELS
from distsearch.networks.layers.base import Layer
from distsearch.networks.layers.images import Images
from distsearch.networks.matrices import Matrix, Rounded
from distsearch.networks.neurons import Elementwise, Linear, Neurons
from distsearch.networks.precision import PRECISIONS, Precision
from distsearch.networks.spikes import LIF, SPIKES, SpikeCounts, Spikes, Spiking
from distsearch.registry import Registry
from distsearch.text import words

Word = int | str
DENSE = "dense"

LONGEST_NUMBER = 30  # digits
DEEPEST = 20  # brackets within brackets


@dataclass(frozen=True)
class Design:
    """What a network is to be, besides its inputs and outputs."""

    layers: tuple[Word, ...] = ()
    activation: tuple[str, ...] = ("relu",)
    """That of each hidden layer, or one for all."""
    precision: tuple[str, ...] = ("float32",)
    """That of each layer's weights, the output layer's last, or one for all."""
    levels: int = LEVELS
    spikes: Spikes = SPIKES
    """How the neurons of the activation `lif` spike."""

    @property
    def spiking(self) -> bool:
        """Whether any neurons spike; then those of the output layer do as well, if their spikes are to be counted."""
        return LIF in self.activation

    def suited_start(self, *, small: bool = True) -> str:
        """The start that suits it: the course's own does not reach through more than one hidden layer, nor rounding.

        small: whether the first outputs may be as small as the course's.
        """
        if self.spiking:
            return "he"
        plain = self.precision == ("float32",) and all(isinstance(word, int) for word in self.layers)
        if plain and len(self.layers) <= 1 and small:
            return "course"
        return ACTIVATIONS.find(self.activation[0]).start


@dataclass
class Builder:
    """A network in the making, layer by layer."""

    design: Design
    kinds: "Registry[Maker]"
    """What makes each kind of layer, by the name that its words begin with."""
    inputs: tuple[int, ...]
    """The shape of examples: (features,), or (height, width, channels)."""
    shape: tuple[int, ...] = ()
    """That of the activations so far: (numbers,), or of images, of the examples as they are, later channels first."""
    layers: list[Layer] = field(default_factory=list)
    bits: int | None = None
    """The activations so far are whole numbers, up to 2^bits, of a power of two; None if they are not."""
    times: int = 1
    """Time steps of the activations so far."""
    weights: int = 0
    """The number of weights so far."""
    matrices: list[Matrix] = field(default_factory=list)
    """The matrices that hold the weights so far."""
    channels_last: bool = False
    """Whether the activations so far are the examples' images, whose channels are last."""
    same_size: bool = False
    """Whether convolutions shall return images of the size that they see."""
    _activations: int = 0
    _precisions: int = 0

    def __post_init__(self) -> None:
        if not self.shape:
            self.shape, self.channels_last = self.inputs, len(self.inputs) == 3

    def add(self, word: Word) -> None:
        """Add the hidden layer that a word stands for."""
        layer = self.made(word)
        self.layers.append(layer)
        self.shape, self.times, self.channels_last = layer.shape, layer.times, False
        self.bits = layer.bits

    def made(self, word: Word) -> Layer:
        """The layer that a word stands for, on what there is so far. Raises SettingError if it cannot be."""
        name, arguments = parsed(word)
        return self.kinds.find(name)(arguments, self)

    def images(self, word: str) -> Images:
        """The images that the activations so far are. Raises SettingError if they are none."""
        if len(self.shape) != 3:
            raise self.misfit(word, "needs images: a source of images, or --shape height,width,channels for a table")
        if self.channels_last:
            height, width, channels = self.shape
            return Images(channels, height, width, self.times, channels_last=True)
        return Images(*self.shape, self.times)

    def require_channels_first(self, word: str) -> None:
        """Raise SettingError if the activations so far are the examples' images."""
        if self.channels_last:
            raise self.misfit(word, "needs a layer before it")

    def inside(self, arguments: str, word: str, *, same_size: bool = False) -> list[Layer]:
        """The layers of the words between the brackets of a word, on what there is so far, whose weights follow."""
        inner = inner_words(arguments)
        if not inner or not arguments.startswith("("):
            raise SettingError(f"network.layers: expected layers between brackets, such as (64,64), in {brief(word)}")
        within = replace(self, layers=[], same_size=same_size)
        for each in inner:
            within.add(each)
        self.weights, self._activations, self._precisions = within.weights, within._activations, within._precisions
        return within.layers

    def misfit(self, word: str, why: str) -> SettingError:
        """The error for a layer that does not fit on those before it, with the shape of each."""
        shapes = [f"inputs {_by(self.inputs)}", *(f"{layer.kind} {_by(layer.shape)}" for layer in self.layers)]
        return SettingError(f"network.layers: {word} {why}; so far: {', '.join(shapes)}")

    def check_counts(self) -> None:
        """Raise SettingError if there are other numbers of activations or precisions than layers to have them."""
        _check_count("activation", "one per hidden layer", self.design.activation, self._activations)
        _check_count("precision", "one per layer and one for the output layer", self.design.precision, self._precisions)

    def neurons(self, if_one_for_all: str | None = None) -> Neurons:
        """The next hidden layer's neurons; if one activation is given for all, perhaps with another than that."""
        name = _each(self.design.activation, self._activations)
        if if_one_for_all and len(self.design.activation) == 1:
            name = if_one_for_all
        self._activations += 1
        if name == "linear":
            return Linear(self.times)
        if name == LIF:
            return Spiking(self.design.spikes, self.times)
        make = WITH_LEVELS.get(name)
        return Elementwise(make(self.design.levels) if make else ACTIVATIONS.find(name), self.times)

    def output_neurons(self) -> Neurons:
        """The output layer's neurons: one activation for each example."""
        spikes = self.design.spikes
        return SpikeCounts(spikes, self.times) if self.design.spiking and spikes.readout == "counts" else Linear()

    def precision(self) -> Precision:
        """The precision of the next layer's weights."""
        name = _each(self.design.precision, self._precisions)
        self._precisions += 1
        return PRECISIONS.find(name)

    def matrix(self, rows: int, columns: int, precision: Precision) -> Matrix:
        """A matrix in the next of the weights."""
        block = Block(self.weights, rows, columns)
        self.weights = block.stop
        kind = Matrix if type(precision) is Precision else Rounded  # a Precision as such rounds nothing
        self.matrices.append(kind(block, precision))
        return self.matrices[-1]


Maker = Callable[[str, Builder], Layer]
"""What makes a layer of the rest of its word, after the name of its kind."""


def parsed(word: Word) -> tuple[str, str]:
    """The kind of layer that a word begins with, and the rest; a number is a dense one.

    A kind of one's own may be named as module:function, before a bracket.
    """
    name = re.match(r"[\w.]+:[\w.]+(?=\()|[A-Za-z]+(?:-[A-Za-z]+)*", str(word))
    length = name.end() if name else 0
    return str(word)[:length] or DENSE, str(word)[length:]


def inner_words(arguments: str) -> list[Word]:
    """The words between the brackets at the end of a word; none if there are no brackets.

    Raises SettingError if there are too many brackets within brackets.
    """
    depths = accumulate((letter == "(") - (letter == ")") for letter in arguments)
    if max(depths, default=0) > DEEPEST:
        raise SettingError(
            f"network.layers: expected at most {DEEPEST} brackets within brackets, got {brief(arguments)}"
        )
    found = re.search(r"\((.*)\)$", arguments, re.DOTALL)
    return words(found[1]) if found else []


def whole(text: str, expected: str) -> int:
    """The whole number above 0 that a part of a word spells. Raises SettingError, which says what was expected."""
    if not (text.isascii() and text.isdecimal() and len(text) < LONGEST_NUMBER and int(text) > 0):
        raise SettingError(f"network.layers: expected {expected}, got {brief(text)}")
    return int(text)


def _by(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))


def _each(names: Sequence[str], number: int) -> str:
    return names[min(number, len(names) - 1)]


def _check_count(setting: str, what: str, names: Sequence[str], count: int) -> None:
    if len(names) not in (1, count):
        came = f"{len(names)} ({','.join(names)})"
        raise SettingError(f"network.{setting}: expected {count}, {what}, or 1 for all, got {came}")
