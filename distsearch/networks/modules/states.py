"""A module's state dict and its flat weights, (n,): what is stored of it, and what is read again."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from distsearch.networks.modules.parameters import Parameters

Array = NDArray[np.float32]


def named(module: Any, trained: Mapping[str, Any], parameters: Parameters, weights: Array) -> dict[str, Array]:
    """The module's state as `load_state_dict` takes it, with these weights, (n,), in the place of those trained."""
    state = {name: _array(each).copy() for name, each in module.state_dict().items()}
    values = {name: place.read(weights) for name, place in parameters.placed.items()}
    alike = {id(each): name for name, each in trained.items()}
    for name, each in module.state_dict(keep_vars=True).items():
        if id(each) in alike:
            state[name] = np.array(values[alike[id(each)]], np.float32, order="C")
    return state


def flat(module: Any, parameters: Parameters, arrays: Mapping[str, Array]) -> Array:
    """The flat weights, (n,), from what `named` returned. Raises KeyError or ValueError if of another module."""
    state = module.state_dict()
    if missing := state.keys() ^ arrays.keys():
        raise ValueError(f"expected the tensors of {type(module).__name__}, not so: {', '.join(sorted(missing))}")
    for name, each in state.items():
        if tuple(each.shape) != arrays[name].shape:
            raise ValueError(f"{name}: expected the shape {tuple(each.shape)}, got {arrays[name].shape}")
    return parameters.flat(arrays)


def frozen(module: Any, trained: Mapping[str, Any]) -> dict[str, Array]:
    """The parameters and buffers of the module's state that are not searched."""
    return {name: _array(each) for name, each in _frozen(module, trained).items()}


def adopt(module: Any, trained: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
    """Give these parameters and buffers the values that they have in `arrays`."""
    for name, each in _frozen(module, trained).items():
        each.detach().copy_(torch.from_numpy(np.array(arrays[name])))


def _frozen(module: Any, trained: Mapping[str, Any]) -> dict[str, Any]:
    searched = {id(each) for each in trained.values()}
    state = module.state_dict(keep_vars=True)
    return {name: each for name, each in state.items() if id(each) not in searched}


def _array(tensor: Any) -> NDArray[Any]:
    found: NDArray[Any] = tensor.detach().cpu().numpy()
    return found
