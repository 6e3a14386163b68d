"""Operations along axes, for many experiments at once, without torch's rules for that, which take a while to be called.

Columns (columns.py) stay such where the operation goes along other axes. Where one of several tensors that are stacked
is moved, as one expert among others, it is a column along the new axis.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F

from distsearch.networks.modules.columns import Columns, count_of, whole, with_axes
from distsearch.networks.modules.tape import Step, Value

Rule = Callable[[Step, Mapping[int, Any], Sequence[Any]], Any]
"""What a step gives, (experiments, …) or Columns, from moved values by their numbers, and all values without a move.

None if the operation is not of the kind that the rule knows.
"""


def along(step: Step, moved: Mapping[int, Any], values: Sequence[Any]) -> Any:
    """What an operation along one axis gives that moves its first argument alone, such as a softmax."""
    number, axis = _first(step), axis_of(step)
    if number not in moved or len(step.takes) > 1 or axis is None:
        return None
    base = values[number]
    return _called(step, whole(moved[number], base), from_the_end(axis, base.dim()))


def inserted(step: Step, moved: Mapping[int, Any], values: Sequence[Any]) -> Any:
    """What a new axis, of one element, gives."""
    number, axis = _first(step), axis_of(step)
    if number not in moved or axis is None:
        return None
    base = values[number]
    return _called(step, whole(moved[number], base), from_the_end(axis, base.dim() + 1))


def reduced(step: Step, moved: Mapping[int, Any], values: Sequence[Any]) -> Any:
    """What a sum or a mean over one axis gives; columns along another axis stay such."""
    number, axis = _first(step), axis_of(step)
    if number not in moved or axis is None or step.kwargs.get("dtype") is not None or len(step.args) > 2:
        return None
    base, given = values[number], moved[number]
    axis = from_the_end(axis, base.dim())
    if not isinstance(given, Columns):
        return _called(step, given, axis)
    if not base.is_floating_point():  # a sum of truths is a number
        return None
    if axis == given.axis:
        change = step.func(given.values - given.of(base), axis, keepdim=step.kwargs.get("keepdim", False))
        if step.func not in SUMS:
            change = change * (given.index.shape[1] / base.shape[axis])
        return values[step.gives[0]] + change
    kept = given.axis if step.kwargs.get("keepdim") or axis < given.axis else given.axis + 1
    return Columns(_called(step, given.values, axis), given.index, kept)


def stacked(step: Step, moved: Mapping[int, Any], values: Sequence[Any]) -> Any:
    """What stacking tensors gives: columns if they all change the same ones, or if only some of them change."""
    if not isinstance(step.args[0], list | tuple) or len(step.args) > 2:
        return None
    bases = [values[each.number] if isinstance(each, Value) else each for each in step.args[0]]
    given = [moved.get(each.number) if isinstance(each, Value) else None for each in step.args[0]]
    axis = from_the_end(axis_of(step, 0), bases[0].dim() + 1)
    first, *others = (each for each in given if each is not None)
    if isinstance(first, Columns) and all(_same(first, each) for each in others):
        columns = [first.of(base) if each is None else each.values for each, base in zip(given, bases, strict=True)]
        return Columns(torch.stack(columns, axis), first.index, first.axis if first.axis > axis else first.axis - 1)
    pairs = [
        (whole(each, base), at) for at, (each, base) in enumerate(zip(given, bases, strict=True)) if each is not None
    ]
    changed = torch.stack([each for each, _ in pairs], axis)
    if len(pairs) == len(given):
        return changed
    return Columns(changed, torch.tensor([[at for _, at in pairs]]).expand(len(changed), -1), axis)


def gathered(step: Step, moved: Mapping[int, Any], values: Sequence[Any]) -> Any:
    """What is picked along an axis, by numbers that may be moved as well."""
    axis = axis_of(step)
    if len(step.args) != 3 or axis is None or step.kwargs:
        return None
    count = count_of(next(iter(moved.values())))
    tensors = []
    for each in (step.args[0], step.args[2]):
        base = values[each.number] if isinstance(each, Value) else each
        is_moved = isinstance(each, Value) and each.number in moved
        tensors.append(whole(moved[each.number], base) if is_moved else base.expand(count, *base.shape))
    return torch.gather(tensors[0], from_the_end(axis, tensors[0].dim() - 1), tensors[1])


def trailing(step: Step, moved: Mapping[int, Any], values: Sequence[Any]) -> Any:
    """What an operation gives that only knows the last axes of its first argument, and no other value."""
    number = _first(step)
    if step.takes != {number}:
        return None
    return step.func(whole(moved[number], values[number]), *step.args[1:], **step.kwargs)


def multiplied(step: Step, moved: Mapping[int, Any], values: Sequence[Any]) -> Any:
    """What a product of two matrices, or of two stacks of such, gives."""
    bases = [values[each.number] if isinstance(each, Value) else each for each in step.args]
    if len(bases) != 2 or bases[0].dim() != bases[1].dim() or bases[0].dim() < 2:
        return None
    return torch.matmul(
        *(
            whole(moved[each.number], base) if isinstance(each, Value) and each.number in moved else base
            for each, base in zip(step.args, bases, strict=True)
        )
    )


def exchanged(step: Step, moved: Mapping[int, Any], values: Sequence[Any]) -> Any:
    """What two axes in each other's place give."""
    number = _first(step)
    if number not in moved or len(step.args) != 3:
        return None
    base = values[number]
    return whole(moved[number], base).transpose(*(from_the_end(each, base.dim()) for each in step.args[1:]))


def expanded(step: Step, moved: Mapping[int, Any], values: Sequence[Any]) -> Any:
    """What copies along axes give, of tensors that are moved or only lend their shape."""
    number, result = _first(step), values[step.gives[0]]
    if number not in moved:
        return result.expand(count_of(next(iter(moved.values()))), *result.shape)
    found = with_axes(whole(moved[number], values[number]), result.dim() + 1)
    return found.expand(len(found), *result.shape)


def flattened(step: Step, moved: Mapping[int, Any], values: Sequence[Any]) -> Any:
    """What several axes give that become one, and other axes in general."""
    number = _first(step)
    base, result = values[number], values[step.gives[0]]
    if number not in moved or base.dtype != result.dtype:  # a view may read the same bits as other numbers
        return None
    found = whole(moved[number], base)
    return found.reshape(len(found), *result.shape)


def turned(step: Step, moved: Mapping[int, Any], values: Sequence[Any]) -> Any:
    """What a matrix, turned, gives."""
    number = _first(step)
    return whole(moved[number], values[number]).mT if number in moved and values[number].dim() == 2 else None


def _first(step: Step) -> int:
    """The number of a step's first argument; -1 if it is none of the values."""
    return step.args[0].number if step.args and isinstance(step.args[0], Value) else -1


def axis_of(step: Step, usual: Any = None) -> Any:
    """The one axis that an operation is given; None if it is given none, or several."""
    found = step.args[1] if len(step.args) > 1 else step.kwargs.get("dim", usual)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def from_the_end(axis: int, axes: int) -> int:
    """An axis of so many, counted from the last one on, below 0."""
    return axis if axis < 0 else axis - axes


def _called(step: Step, tensor: Any, axis: int) -> Any:
    """The operation along another axis."""
    named = {name: each for name, each in step.kwargs.items() if name != "dim"}
    return step.func(tensor, axis, *step.args[2:], **named)


def _same(columns: Columns, other: Any) -> bool:
    return isinstance(other, Columns) and other.index is columns.index and other.axis == columns.axis


def functions(*names: str) -> set[Any]:
    """All functions and methods of torch of these names."""
    return {found for name in names for room in (torch, torch.Tensor, F) if (found := getattr(room, name, None))}


SUMS = functions("sum")
REDUCING = functions("sum", "mean")
STACKING = {torch.stack}
RULES: Mapping[Any, Rule] = {
    **dict.fromkeys(functions("argmax", "argmin", "softmax", "log_softmax", "cumsum"), along),
    **dict.fromkeys(functions("unsqueeze"), inserted),
    **dict.fromkeys(REDUCING, reduced),
    **dict.fromkeys(STACKING, stacked),
    **dict.fromkeys(functions("gather"), gathered),
    **dict.fromkeys(functions("layer_norm", "rms_norm", "one_hot"), trailing),
    **dict.fromkeys([*functions("matmul"), torch.Tensor.__matmul__], multiplied),
    **dict.fromkeys(functions("transpose"), exchanged),
    **dict.fromkeys(functions("expand", "expand_as", "broadcast_to"), expanded),
    **dict.fromkeys(functions("flatten", "reshape", "view", "unflatten", "squeeze"), flattened),
    **dict.fromkeys([getattr(torch.Tensor, name).__get__ for name in ("T", "mT")], turned),
}
"""What many experiments make of each operation."""
