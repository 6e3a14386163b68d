"""Low-rank adapters: a frozen linear or convolution layer W, and beside it α/r · BA, of which A and B are searched.

Hu et al. 2022, "LoRA: Low-rank adaptation of large language models", arXiv 2106.09685, equation 3. A of r rows is drawn
at random and B is 0 at first, so the module begins as it was. Frozen weights may be kept in 8 bits, with a scale for
each row (Dettmers et al. 2022, "LLM.int8()", arXiv 2208.07339, section 2.1).
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from distsearch.errors import SettingError, brief
from distsearch.networks.modules.selection import matching, nearest

PRECISIONS = (8, 32)
LARGEST_INTEGER = 127  # of 8 bits


class LowRankAdapter(nn.Module):  # type: ignore[misc]  # torch's types are skipped
    """A frozen layer, and what is added to its outputs."""

    def __init__(self, layer: Any, rank: int, alpha: float, bits: int = 32) -> None:
        """`layer` is an nn.Linear, or an nn.Conv1d, Conv2d or Conv3d with one group."""
        super().__init__()
        self.scale = alpha / rank
        layer.requires_grad_(False)
        alike: dict[str, Any] = {"bias": False, "device": layer.weight.device, "dtype": layer.weight.dtype}
        self.base = EightBitLayer(layer) if bits == 8 else layer
        if isinstance(layer, nn.Linear):
            self.lora_A = nn.Linear(layer.in_features, rank, **alike)
            self.lora_B = nn.Linear(rank, layer.out_features, **alike)
        else:
            self.lora_A = type(layer)(
                layer.in_channels,
                rank,
                layer.kernel_size,
                layer.stride,
                layer.padding,
                layer.dilation,
                padding_mode=layer.padding_mode,
                **alike,
            )
            self.lora_B = type(layer)(rank, layer.out_channels, 1, **alike)
        nn.init.zeros_(self.lora_B.weight)

    def forward(self, x: Any) -> Any:
        """The layer's outputs, and α/r · B(A(x))."""
        return self.base(x) + self.scale * self.lora_B(self.lora_A(x))

    @property
    def weight(self) -> Any:
        """W + α/r · BA: what the layer's weights amount to, for code that reads them."""
        product = self.lora_B.weight.flatten(1) @ self.lora_A.weight.flatten(1)  # (outputs, r) (r, inputs)
        weight = self.base.weight
        return weight + self.scale * product.reshape(weight.shape)

    @property
    def bias(self) -> Any:
        """The layer's biases, or None."""
        return self.base.bias

    def merged(self) -> Any:
        """The plain layer with these weights."""
        layer = self.base.layer if isinstance(self.base, EightBitLayer) else self.base
        weight = nn.Parameter(self.weight.detach())
        layer._buffers.pop("weight", None)
        layer.register_parameter("weight", weight)
        return layer


class EightBitLayer(nn.Module):  # type: ignore[misc]  # as above
    """A layer whose weights are kept as 8-bit integers and a scale for each row; they are floats for the pass alone."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        weight = layer.weight.detach()
        rows = weight.flatten(1).abs().amax(1) / LARGEST_INTEGER
        scale = torch.where(rows > 0, rows, torch.ones_like(rows)).reshape(-1, *[1] * (weight.dim() - 1))
        del layer.weight
        layer.register_buffer("weight", torch.round(weight / scale).to(torch.int8))
        self.layer = layer
        self.register_buffer("scale", scale)

    def forward(self, x: Any) -> Any:
        """The layer's outputs."""
        return torch.func.functional_call(self.layer, {"weight": self.weight}, (x,))

    @property
    def weight(self) -> Any:
        """The weights as floats."""
        return self.layer.weight * self.scale

    @property
    def bias(self) -> Any:
        """The layer's biases, or None."""
        return self.layer.bias


def add_adapters(
    module: Any, rank: int = 4, *, alpha: float | None = None, layers: str | Sequence[str] = "*", bits: int = 32
) -> Any:
    """Put low-rank adapters around linear and convolution layers of a module, and freeze all else; return the module.

    Load the module's trained weights before. What adapters add to a layer has rank `rank`, and is scaled by alpha /
    rank; alpha is the rank if it is not given. `layers` are patterns of the layers' names, such as "*.queries", one or
    several, or in one text with commas between; those that are matched have one group, and are nn.Linear, nn.Conv1d,
    nn.Conv2d or nn.Conv3d. With bits=8 their own weights are kept in 8 bits, which changes outputs by about 1%.

    Raises SettingError for a pattern that fits no such layer, and for a rank, alpha or bits that cannot be.
    """
    _check(rank, alpha, bits)
    found = {name: each for name, each in module.named_modules() if _can_be_adapted(each)}
    patterns = [each.strip() for each in layers.split(",")] if isinstance(layers, str) else list(layers)

    def refusal(pattern: str) -> SettingError:
        hint = f"nearest: {nearest(pattern, [*found])}" if found else f"{type(module).__name__} has none"
        return SettingError(f"layers: no linear or convolution layer matches {brief(pattern)}; {hint}")

    matched = matching(found, patterns, refusal)
    module.requires_grad_(False)
    adapters = {
        id(layer): LowRankAdapter(layer, rank, rank if alpha is None else alpha, bits)
        for name, layer in found.items()
        if name in matched
    }
    return _replaced(module, adapters)


def merge_adapters(module: Any) -> Any:
    """Put plain layers in the place of all adapters of a module, to the same outputs but for rounding; return it.

    Then its state dict has the names that it had without adapters.
    """
    adapters = [each for each in module.modules() if isinstance(each, LowRankAdapter)]
    return _replaced(module, {id(each): each.merged() for each in adapters})


def _can_be_adapted(layer: Any) -> bool:
    if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d):
        return bool(layer.groups == 1)
    return isinstance(layer, nn.Linear)


def _replaced(module: Any, others: dict[int, Any]) -> Any:
    """The module with others in the place of some of its parts, wherever they stand, each known by its id."""
    if id(module) in others:
        return others[id(module)]
    for parent in [*module.modules()]:
        for name, child in [*parent._modules.items()]:
            if id(child) in others:
                parent._modules[name] = others[id(child)]
    return module


def _check(rank: int, alpha: float | None, bits: int) -> None:
    if not isinstance(rank, int) or isinstance(rank, bool) or rank < 1:
        raise SettingError(f"rank: expected a whole number of at least 1, got {brief(rank)}")
    if alpha is not None and not (isinstance(alpha, int | float) and 0 < alpha < math.inf):
        raise SettingError(f"alpha: expected a number above 0, got {brief(alpha)}")
    if bits not in PRECISIONS:
        raise SettingError(f"bits: expected 8 or 32, got {brief(bits)}")
