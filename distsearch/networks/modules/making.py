"""Makes a user's module, and refuses what cannot be searched."""

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from distsearch.errors import SettingError, brief
from distsearch.networks.modules.declared import Nodes, declare, said_by
from distsearch.networks.modules.engine import exact
from distsearch.networks.modules.selection import select
from distsearch.networks.modules.sources import WithNodes

LARGEST_SEED = 2**63 - 1


def made(source: Any, seed: int, trainable: Sequence[str] = ()) -> Any:
    """The module that a factory returns, its own random numbers drawn from the seed; or a copy of a module given.

    It is in evaluation mode, on the CPU and in float32, and requires gradients of what is to be searched: the
    parameters that match `trainable`, if that says any. SettingError if it cannot be searched.
    """
    own: Nodes = {}
    if isinstance(source, WithNodes):
        source, own = source.source, source.nodes
    module = _copied(source) if isinstance(source, nn.Module) else _called(source, seed)
    if not isinstance(module, nn.Module):
        raise SettingError(f"network.model: expected a torch module from {_name(source)}, got {brief(module)}")
    tensors = [*module.parameters(), *module.buffers()]
    if any(each.is_meta for each in tensors):
        raise SettingError("network.model: the module's weights are on the meta device: give it some that have values")
    if any(map(nn.parameter.is_lazy, tensors)):
        raise SettingError("network.model: the module has lazy layers without a shape: call it once on an example")
    select(module, trainable)
    if not any(each.requires_grad for each in module.parameters()):
        raise SettingError(
            f"network.model: {type(module).__name__} has no parameters to search: name those that are to "
            "change with --trainable, or give them requires_grad=True"
        )
    for name, parameter in module.named_parameters():
        if not parameter.requires_grad:
            continue
        if parameter.is_complex():
            raise SettingError(f"network.model: its parameter {name} is complex: expected real numbers")
        if not torch.isfinite(parameter).all():
            raise SettingError(f"network.model: its parameter {name} is not finite: give it finite initial weights")
    declare(module, {**said_by(source), **own})
    return module.to("cpu").float().eval()


def notes_on(module: Any) -> list[str]:
    """Sentences on layers that behave in evaluation mode as the user may not expect."""
    kinds = [type(each) for each in module.modules()]
    found = []
    if any(issubclass(kind, nn.modules.batchnorm._BatchNorm) for kind in kinds):
        found.append(
            "the model's batch normalisation is frozen at its running means and variances, so that no example's "
            "outputs depend on the others; layer or group normalisation learns better here"
        )
    if any(issubclass(kind, nn.modules.dropout._DropoutNd) for kind in kinds):
        found.append("the model's dropout is off: candidates are compared on the same network")
    return found


def _copied(module: Any) -> Any:
    try:
        return copy.deepcopy(module)
    except Exception as error:  # of tensors that are results, as of torch's weight_norm, and of what is anybody's
        raise SettingError(
            f"network.model: {_name(module)} cannot be copied ({brief(str(error))}): give its class, or a function "
            "that makes it"
        ) from error


def _called(factory: Any, seed: int) -> Any:
    with torch.random.fork_rng(devices=[]), exact(), torch.enable_grad():
        torch.manual_seed(seed % LARGEST_SEED)
        try:
            return factory()
        except Exception as error:
            raise SettingError(
                f"network.model: {_name(factory)}() raised {type(error).__name__}: {error}; it is called without "
                "arguments"
            ) from error


def _name(source: Any) -> str:
    return str(getattr(source, "__name__", type(source).__name__))
