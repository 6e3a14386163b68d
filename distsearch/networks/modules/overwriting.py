"""Elementwise operations that write over what nothing needs any more: the same bits, without new memory."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F

from distsearch.networks.modules.columns import ELEMENTWISE, LINEAR
from distsearch.networks.modules.tape import Step, Value, name_of

_UNARY = (
    *("relu", "sigmoid", "tanh", "floor", "ceil", "round", "trunc", "frac", "sign", "exp", "exp2", "expm1", "log"),
    *("log1p", "abs", "neg", "sqrt", "rsqrt", "square", "reciprocal", "erf", "sin", "cos"),
)
_OTHERS = (
    *("clamp", "clip", "clamp_min", "clamp_max", "add", "sub", "subtract", "mul", "multiply", "div", "divide"),
    *("true_divide", "floor_divide", "remainder", "fmod", "pow"),
)


def _functions(names: Iterable[str]) -> dict[Any, Callable[..., Any]]:
    return {
        func: getattr(torch.Tensor, f"{name}_")
        for name in names
        for room in (torch, torch.Tensor, F)
        if (func := getattr(room, name, None))
    }


_OF_ONE = _functions(_UNARY)
OVERWRITING: Mapping[Any, Callable[..., Any]] = {
    **_OF_ONE,
    **_functions(_OTHERS),
    torch.Tensor.__radd__: torch.Tensor.add_,
    torch.Tensor.__rmul__: torch.Tensor.mul_,
    torch.Tensor.__pow__: torch.Tensor.pow_,
}
"""Functions, and what writes their results into their first argument."""

_RETURNING = {"detach", "dropout", "to", "float", "double", "half", "bool", "int", "long"}
"""Those that may return what they are given."""


def overwriting(
    steps: Sequence[Step], values: Sequence[Any], last_uses: Sequence[Sequence[int]], kept: Collection[int | None]
) -> set[int]:
    """The values that may be written over the first argument of the step that gives them.

    That is a new tensor of their shape and type, of which no other value is a view, and no later step takes it; nor is
    it one of those that are kept.
    """
    new: set[int] = set()
    shared = set(kept)
    for step in steps:
        if (step.func in ELEMENTWISE or step.func in LINEAR) and name_of(step.func) not in _RETURNING:
            new.update(step.gives)
        else:
            shared.update(step.takes)
    return {
        step.gives[0]
        for step, done in zip(steps, last_uses, strict=True)
        if _can(step, values) and step.args[0].number in (new - shared).intersection(done)
    }


def _can(step: Step, values: Sequence[Any]) -> bool:
    """Whether what the step gives can be written over its first argument, which is none of its others."""
    if step.func not in OVERWRITING or not step.flat or step.kwargs not in ({}, {"inplace": False}):
        return False
    first, *others = step.args
    if not isinstance(first, Value) or (others and step.func in _OF_ONE):
        return False
    if any(isinstance(each, Value) and each == first for each in others):
        return False
    before, after = values[first.number], values[step.gives[0]]
    return before.dtype == after.dtype and before.shape == after.shape
