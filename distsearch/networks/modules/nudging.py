"""A forward pass of a module with low-rank noise in its weights, whose matrices are never made.

A linear layer returns x Wᵀ + (x Qᵀ) Pᵀ where the noise of W is PQ (EGGROLL: Sarkar et al. 2025, arXiv 2511.16652); a
product, a convolution and an embedding go likewise. What else a parameter is used for sees it with its noise in full.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from distsearch.candidates.blocks import Block
from distsearch.networks.modules.declared import DECLARED
from distsearch.networks.modules.kinds import Convolution, Embedding, Kind, Linear, Product, kind_of
from distsearch.networks.modules.parameters import Placed
from distsearch.networks.modules.tape import HARMLESS, mapped, name_of
from distsearch.networks.modules.watching import tensors_in

Factors = tuple[Any, Any]
"""P, (rows, r), and Q, (r, columns), of a block's step PQ, on the module's device."""


class Nudging(TorchFunctionMode):  # type: ignore[misc]  # torch's types are skipped
    """While entered, the parameters, which have the values of the center, are used with a step added to them."""

    def __init__(
        self, trained: Mapping[str, Any], placed: Mapping[str, Placed], factors: Callable[[Block], Factors]
    ) -> None:
        super().__init__()
        self._places = {id(tensor): placed[name] for name, tensor in trained.items()}
        self._factors_of = factors
        self._whole: dict[int, Any] = {}

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """What the function returns for the parameters with their steps."""
        kwargs = kwargs or {}
        if func in DECLARED.values():  # what a declared layer has made: its own operations have seen the step
            return func(*args, **kwargs)
        if not any(id(each) in self._places for each in tensors_in((args, kwargs))) or name_of(func) in HARMLESS:
            return func(*args, **kwargs)
        kind = kind_of(func, args, kwargs)
        layer = kind if kind is not None and self._is_layer(kind) else None

        def moved(tensor: Any) -> Any:
            return tensor if layer is not None and tensor is layer.weight else self._moved(tensor)

        returned = func(*mapped(args, moved), **mapped(kwargs, moved))
        return returned if layer is None else returned + self._change(layer)

    def _is_layer(self, kind: Kind) -> bool:
        """Whether only its weights are a parameter, or its biases too, and their step need not be made."""
        known = isinstance(kind, Linear | Convolution | Embedding)
        return known and id(kind.weight) in self._places and id(kind.inputs) not in self._places

    def _change(self, layer: Kind) -> Any:
        """What the step of a layer's weights adds to its outputs."""
        left, right = self._factors(self._places[id(layer.weight)])
        inputs = layer.inputs
        if isinstance(layer, Product):
            return (inputs @ left) @ right
        if isinstance(layer, Linear):
            return F.linear(F.linear(inputs, right), left)
        if isinstance(layer, Embedding):
            return F.embedding(inputs, left) @ right
        convolve = getattr(F, f"conv{layer.weight.dim() - 2}d")
        rest = {name: each for name, each in layer.arguments.items() if name not in ("input", "weight", "bias")}
        narrow = convolve(inputs, right.reshape(-1, *layer.weight.shape[1:]), **rest)
        return convolve(narrow, left.reshape(*left.shape, *[1] * (layer.weight.dim() - 2)))

    def _moved(self, tensor: Any) -> Any:
        """A parameter with its step, in full; any other tensor as it is."""
        place = self._places.get(id(tensor))
        if place is None:
            return tensor
        if id(tensor) not in self._whole:
            left, right = self._factors(place)
            self._whole[id(tensor)] = tensor.detach() + (left @ right).reshape(place.shape)
        return self._whole[id(tensor)]

    def _factors(self, place: Placed) -> Factors:
        """Those of a parameter's step as a matrix PQ, its first axis the rows."""
        left, right = self._factors_of(place.block)
        right = right[:, place.columns]
        return (right.T, left.T) if place.across else (left, right)
