"""Layers of a user's own, of which is said what they compute: their nodes are moved although torch's calls hide them.

A hook behind such a layer hands its inputs and outputs on in a call of its own, which is a layer as others are.
Nobody else sees that call: where no pass is watched, the hook does nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.overrides import handle_torch_function, has_torch_function

from distsearch.errors import SettingError, brief

OWN = "own "  # begins the names of their kinds


def linear(input: Any, weight: Any, bias: Any, outputs: Any) -> Any:  # noqa: A002
    """The outputs of a layer that computes x Wᵀ + b, or nearly: the weights are (nodes, inputs)."""
    return outputs.clone()


def product(input: Any, weight: Any, bias: Any, outputs: Any) -> Any:  # noqa: A002
    """The outputs of a layer that computes x W + b, or nearly: the weights are (inputs, nodes)."""
    return outputs.clone()


DECLARED: Mapping[str, Callable[..., Any]] = {"linear": linear, "product": product}
"""The kinds of layers that may be declared, and the calls that stand for them."""

Nodes = Mapping[Any, Any]
"""The kind of each class of layers."""


@dataclass(frozen=True)
class Declaring:
    """A hook behind a layer that was declared to be of a kind."""

    kind: str

    def __call__(self, layer: Any, given: tuple[Any, ...], outputs: Any) -> Any:
        """The outputs again, if somebody watches. SettingError if they are not those of such a layer."""
        if not has_torch_function((outputs,)):
            return None
        weight, bias = getattr(layer, "weight", None), getattr(layer, "bias", None)
        self._check(type(layer).__name__, given, weight, outputs)
        return handle_torch_function(DECLARED[self.kind], (outputs,), given[0], weight, bias, outputs)

    def _check(self, name: str, given: tuple[Any, ...], weight: Any, outputs: Any) -> None:
        if not isinstance(weight, nn.Parameter) or weight.dim() != 2:
            raise SettingError(f"nodes: {name} is to be {self.kind}: expected its weights, a matrix, as {name}.weight")
        if not given or not isinstance(given[0], torch.Tensor) or not isinstance(outputs, torch.Tensor):
            raise SettingError(
                f"nodes: {name} is to be {self.kind}: expected it to make a tensor of its first argument"
            )
        nodes, inputs = weight.shape if self.kind == "linear" else weight.shape[::-1]
        if (given[0].shape[-1], outputs.shape[-1]) != (inputs, nodes):
            raise SettingError(
                f"nodes: {name} is to be {self.kind}, with weights {tuple(weight.shape)}: expected {inputs} numbers to "
                f"become {nodes}, got {given[0].shape[-1]} that become {outputs.shape[-1]}"
            )


def declare(module: Any, nodes: Nodes) -> None:
    """Put hooks behind the layers of these classes. SettingError if there are none, or a kind is unknown."""
    for kind, name in nodes.items():
        if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
            raise SettingError(f"nodes: expected classes of layers, such as {{MyLayer: 'linear'}}, got {brief(kind)}")
        if name not in DECLARED:
            expected = " or ".join(DECLARED)
            raise SettingError(f"nodes: expected {kind.__name__} to be {expected}, got {brief(name)}")
        found: list[Any] = [each for each in module.modules() if type(each) is kind]
        if not found:
            raise SettingError(f"nodes: {type(module).__name__} has no layer of the class {kind.__name__}")
        for each in found:
            each.register_forward_hook(Declaring(name))


def undeclare(module: Any) -> Any:
    """The module, without these hooks."""
    for each in module.modules():
        for number in [number for number, hook in each._forward_hooks.items() if isinstance(hook, Declaring)]:
            del each._forward_hooks[number]
    return module


def said_by(source: Any) -> Nodes:
    """What a class, a function or a module says of its layers itself, as its attribute `nodes`."""
    nodes = getattr(source, "nodes", None)
    if not isinstance(nodes, Mapping) or not all(isinstance(each, type) for each in nodes):
        return {}  # something else of that name
    return nodes
