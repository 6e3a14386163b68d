"""The layers whose nodes can be moved, recognised by the function of torch that computes them.

So it makes no difference whether a module of torch calls it or the user's own code, nor whether the weights that it is
given are parameters as they are or rounded ones. A kind says where its outputs have their nodes, and what the slopes of
the losses along moves of the nodes say of its weights.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F

from distsearch.networks.modules import declared, unrolling

SMALLEST_SIZE = 0.01


@dataclass(frozen=True)
class Kind(ABC):
    """A kind of layer: its function's arguments by name."""

    name: ClassVar[str]
    node_axis: ClassVar[int] = -1
    """Which axis of its outputs has the nodes."""
    across: ClassVar[bool] = False
    """Whether a node's weights are a column of the parameter."""

    arguments: Mapping[str, Any]

    @property
    def inputs(self) -> Any:
        """What the layer is given."""
        return self.arguments["input"]

    @property
    def weight(self) -> Any:
        """Its weights, perhaps rounded."""
        return self.arguments.get("weight")

    @property
    def bias(self) -> Any:
        """Its biases, or None."""
        return self.arguments.get("bias")

    @property
    def beside(self) -> tuple[Any, ...]:
        """Further parameters, of which each node has a row or a number, in front of its weights."""
        return ()

    def fits(self) -> bool:
        """Whether its nodes can be moved."""
        return isinstance(self.weight, torch.Tensor)

    @abstractmethod
    def products(self, outputs: Any) -> float:
        """The multiplications of the layer."""

    def size(self) -> float:
        """The size of a step: about that of the sums that initial weights (he) would give. Never 0."""
        return max(SMALLEST_SIZE, float(torch.sqrt(2 * self.inputs.float().square().mean())))

    @abstractmethod
    def gradient(self, slopes: Any, lo: int, hi: int) -> Any:
        """The gradient of the weights of the nodes [lo, hi), (nodes, weights of each), without their biases.

        slopes have the shape of the outputs, with hi - lo nodes.
        """


class Linear(Kind):
    """x Wᵀ + b."""

    name = "linear"

    def fits(self) -> bool:
        """Whether the weights are a matrix."""
        return super().fits() and self.weight.dim() == 2 and self.inputs.dim() >= 2

    def products(self, outputs: Any) -> float:
        """Outputs times inputs."""
        return float(outputs.numel() * self.inputs.shape[-1])

    def gradient(self, slopes: Any, lo: int, hi: int) -> Any:
        """Slopesᵀ times inputs."""
        return slopes.reshape(-1, hi - lo).T @ self.inputs.float().reshape(-1, self.inputs.shape[-1])


class Product(Linear):
    """x W, where a node's weights are a column of W."""

    name = "product"
    across = True

    @property
    def weight(self) -> Any:
        """The right factor."""
        return self.arguments["other"]


class RecurrentSums(Linear):
    """x Wᵀ + b + h Uᵀ + c of inputs x and a state h."""

    name = "recurrent"

    @property
    def inputs(self) -> Any:
        """The state: another one for each step."""
        return self.arguments["state"]

    @property
    def beside(self) -> tuple[Any, ...]:
        """W and b."""
        found = self.arguments["weight_below"], self.arguments["bias_below"]
        return tuple(each for each in found if each is not None)

    def products(self, outputs: Any) -> float:
        """Outputs times inputs and features of the state."""
        return float(outputs.numel() * (self._below.shape[-1] + self.inputs.shape[-1]))

    def size(self) -> float:
        """That of inputs and state beside each other."""
        squares = [float(each.float().square().mean()) * each.shape[-1] for each in (self._below, self.inputs)]
        return max(SMALLEST_SIZE, (2 * sum(squares) / (self._below.shape[-1] + self.inputs.shape[-1])) ** 0.5)

    def gradient(self, slopes: Any, lo: int, hi: int) -> Any:
        """Slopesᵀ times inputs, their sums where there are biases, and slopesᵀ times the state."""
        slopes = slopes.reshape(-1, hi - lo)
        parts = [slopes.T @ self._below.reshape(-1, self._below.shape[-1])]
        if self.arguments["bias_below"] is not None:
            parts.append(slopes.sum(0)[:, None])
        return torch.cat([*parts, slopes.T @ self.inputs.reshape(-1, self.inputs.shape[-1])], 1)

    @property
    def _below(self) -> Any:
        return self.arguments["input"]


class OwnLinear(Linear):
    """What a user has declared to be linear."""

    name = f"{declared.OWN}linear"


class OwnProduct(Product):
    """What a user has declared to be a product."""

    name = f"{declared.OWN}product"

    @property
    def weight(self) -> Any:
        """The right factor."""
        return self.arguments["weight"]


class Convolution(Kind):
    """A convolution in any number of dimensions."""

    name = "convolution"
    node_axis = 1

    def fits(self) -> bool:
        """Whether every channel of its outputs sees all channels of its inputs."""
        return super().fits() and self.arguments.get("groups", 1) == 1 and self.inputs.dim() == self.weight.dim()

    def products(self, outputs: Any) -> float:
        """Outputs times the weights of each."""
        return float(outputs.numel() * self.weight[0].numel())

    def gradient(self, slopes: Any, lo: int, hi: int) -> Any:
        """Slopes times the windows of the inputs: what torch's own rule for a convolution's weights computes."""
        convolve = getattr(F, f"conv{self.weight.dim() - 2}d")
        rest = {name: value for name, value in self.arguments.items() if name not in ("input", "weight", "bias")}
        with torch.enable_grad():
            weights = self.weight[lo:hi].detach().float().requires_grad_()
            (found,) = torch.autograd.grad(convolve(self.inputs.float(), weights, **rest), weights, slopes)
        return found.reshape(hi - lo, -1)


class Embedding(Kind):
    """Rows of a table, picked by whole numbers: a node's weights are a column of it."""

    name = "embedding"
    across = True

    def fits(self) -> bool:
        """Whether it only picks rows, and does not change them."""
        return super().fits() and self.arguments.get("max_norm") is None

    def products(self, outputs: Any) -> float:
        """About as much as copying."""
        return float(outputs.numel())

    def size(self) -> float:
        """That of what it picks."""
        return max(SMALLEST_SIZE, float(self.weight.square().mean().sqrt()))

    def gradient(self, slopes: Any, lo: int, hi: int) -> Any:
        """The slopes of each row of the table, added up."""
        found = torch.zeros(len(self.weight), hi - lo)
        found.index_add_(0, self.inputs.reshape(-1), slopes.reshape(-1, hi - lo))
        if (padding := self.arguments.get("padding_idx")) is not None:  # the row that torch does not train either
            found[padding] = 0
        return found.T


class Normalisation(Kind):
    """γ x̂ + β, where x̂ has been normalised: each node has a γ and a β."""

    name = "normalisation"
    plain: Callable[..., Any]
    """The same without γ and β."""

    def fits(self) -> bool:
        """Whether there is a γ for each of the nodes."""
        return super().fits() and self.weight.dim() == 1 and not self.arguments.get("training", False)

    def products(self, outputs: Any) -> float:
        """A few for each output."""
        return float(4 * outputs.numel())

    def size(self) -> float:
        """That of normalised inputs."""
        return 1.0

    def gradient(self, slopes: Any, lo: int, hi: int) -> Any:
        """Slopes times what has been normalised."""
        normal = type(self).plain(**{**self.arguments, "weight": None, "bias": None}).movedim(self.node_axis, -1)
        return (slopes.movedim(self.node_axis, -1) * normal[..., lo:hi]).reshape(-1, hi - lo).sum(0)[:, None]


class LayerNormalisation(Normalisation):
    """Over the last axis."""

    plain = staticmethod(F.layer_norm)


class RootMeanSquare(Normalisation):
    """Over the last axis, without means and biases."""

    plain = staticmethod(F.rms_norm)


class GroupNormalisation(Normalisation):
    """Over groups of channels."""

    node_axis = 1
    plain = staticmethod(F.group_norm)


class BatchNormalisation(Normalisation):
    """By means and variances that stay."""

    node_axis = 1
    plain = staticmethod(F.batch_norm)


_OWN = "input weight bias outputs"
_CONVOLUTION = "input weight bias stride padding dilation groups"
_PRODUCT = (Product, "input other")
_KINDS: dict[Callable[..., Any], tuple[type[Kind], str]] = {
    F.linear: (Linear, "input weight bias"),
    torch.matmul: _PRODUCT,
    torch.mm: _PRODUCT,
    torch.Tensor.matmul: _PRODUCT,
    torch.Tensor.__matmul__: _PRODUCT,
    torch.Tensor.mm: _PRODUCT,
    unrolling.recurrent_sums: (RecurrentSums, "below input state weight_below weight bias_below bias"),
    declared.linear: (OwnLinear, _OWN),
    declared.product: (OwnProduct, _OWN),
    F.conv1d: (Convolution, _CONVOLUTION),
    F.conv2d: (Convolution, _CONVOLUTION),
    F.conv3d: (Convolution, _CONVOLUTION),
    F.embedding: (Embedding, "input weight padding_idx max_norm norm_type scale_grad_by_freq sparse"),
    F.layer_norm: (LayerNormalisation, "input normalized_shape weight bias eps"),
    F.rms_norm: (RootMeanSquare, "input normalized_shape weight eps"),
    F.group_norm: (GroupNormalisation, "input num_groups weight bias eps"),
    F.batch_norm: (
        BatchNormalisation,
        "input running_mean running_var weight bias training momentum eps",
    ),
}


def kind_of(function: Any, given: tuple[Any, ...], named: Mapping[str, Any]) -> Kind | None:
    """The layer that a call of torch computes, if it is one whose nodes can be moved."""
    if function not in _KINDS:
        return None
    kind, names = _KINDS[function]
    arguments = dict(zip(names.split(), given, strict=False)) | dict(named)
    if "input" not in arguments or not isinstance(arguments["input"], torch.Tensor):
        return None
    found = kind(arguments)
    return found if found.fits() else None
