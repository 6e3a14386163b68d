"""Operations of torch that hide layers, done again as those layers and what joins them, which can then be watched.

Recurrent networks are one call each, whatever their number of layers and steps, and so is attention with its
projections. Here each is written as linear layers, whose nodes can be moved, and a few functions between them. These
take any axes in front of their own, so that many experiments are computed at once as they are (replay.py).
The outputs are those of torch up to rounding: sums are added in another order.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import torch
import torch.nn.functional as F


class Calling(Protocol):
    """Calls a function where it is watched."""

    def __call__(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What the function returns."""


Unrolled = Callable[..., Any]
"""Does an operation by smaller ones, given a Calling and its arguments; None if these call for something else."""


def steps_of(sequence: Any) -> Sequence[Any]:
    """Tensors (…, examples, features), one for each step of a sequence, (…, steps, examples, features)."""
    return tuple(sequence.unbind(-3))


def sequence_of(*steps: Any) -> Any:
    """The sequence, (…, steps, examples, features), of tensors (…, examples, features)."""
    return torch.stack(torch.broadcast_tensors(*steps), -3)


def both_ways(forwards: Any, backwards: Any) -> Any:
    """The features of both directions beside each other."""
    return torch.cat(torch.broadcast_tensors(forwards, backwards), -1)


def thirds(values: Any) -> Sequence[Any]:
    """Features divided by three."""
    return tuple(values.chunk(3, -1))


def state_before(state: Any, inputs: Any, axes: int) -> Any:
    """A first state, (…, examples, features), before inputs of so many axes of their own change it."""
    lead = torch.broadcast_shapes(state.shape[:-2], inputs.shape[:-axes])
    return state.expand(*lead, *state.shape[-2:])


def sums_below(inputs: Any, weight: Any, bias: Any) -> Any:
    """What the inputs, (…, features), add to the sums of a recurrent layer's nodes, (…, nodes)."""
    return F.linear(inputs, weight, bias)


def recurrent_sums(
    below: Any, inputs: Any, state: Any, weight_below: Any, weight: Any, bias_below: Any, bias: Any
) -> Any:
    """The sums of a recurrent layer's nodes, (…, nodes), from `sums_below` of its inputs, and its state.

    Both of its matrices see one move of a node, as one layer of inputs and state beside each other.
    """
    return below + F.linear(state, weight, bias)


def lstm_step(sums: Any, memory: Any) -> tuple[Any, Any]:
    """A step of an LSTM, from sums, (…, 4 features): what it returns, and its memory, (…, features)."""
    width = sums.shape[-1] // 4
    opening, new, leaves = sums.split((2 * width, width, width), -1)
    enters, stays = torch.sigmoid(opening).chunk(2, -1)
    memory = torch.addcmul(stays * memory, enters, torch.tanh(new))
    return torch.tanh(memory).mul_(torch.sigmoid(leaves)), memory


def gru_step(below: Any, before: Any, state: Any) -> Any:
    """A step of a GRU, from both layers' sums, (…, 3 features), and its state, (…, features)."""
    (resets, stays, new), (more_resets, more_stays, old) = below.chunk(3, -1), before.chunk(3, -1)
    new = torch.tanh(new + torch.sigmoid(resets + more_resets) * old)
    return new + torch.sigmoid(stays + more_stays) * (state - new)


def attention(query: Any, key: Any, value: Any, mask: Any = None, scale: float | None = None) -> Any:
    """What queries, (…, queries, features), find at keys, (…, keys, features): sums of the values.

    mask is what is added to their products, or says which of them count, (…, queries, keys).
    """
    products = query @ key.transpose(-2, -1) * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    if mask is not None:
        products = products.masked_fill(~mask, -math.inf) if mask.dtype == torch.bool else products + mask
    return torch._safe_softmax(products, -1) @ value  # 0 for queries that no key counts for


def attention_of_heads(
    query: Any, key: Any, value: Any, mask: Any, padding: Any, heads: int
) -> tuple[Any, Any]:  # the sums of the values, and the weights of these
    """Attention with several heads, from (…, steps, examples, features) to such and (…, examples, heads, steps, steps).

    mask is (…, 1 or examples · heads, queries, keys), padding is (…, examples, keys). They are added to the products,
    or say which of them do not count.
    """
    query, key, value = (
        each.unflatten(-1, (heads, -1)).movedim(-4, -2) for each in (query, key, value)
    )  # (…, examples, heads, steps, features)
    products = query / math.sqrt(query.shape[-1]) @ key.transpose(-2, -1)
    if mask is not None:
        products = _without(products, mask.unflatten(-3, (-1, heads) if mask.shape[-3] > 1 else (1, 1)))
    if padding is not None:
        products = _without(products, padding[..., None, None, :])
    weights = torch.softmax(products, -1)
    return (weights @ value).movedim(-2, -4).flatten(-2), weights


def _without(products: Any, mask: Any) -> Any:
    return products.masked_fill(mask, -math.inf) if mask.dtype == torch.bool else products + mask


STACKABLE = {steps_of, sequence_of, both_ways, state_before, lstm_step, gru_step, thirds}
STACKABLE |= {sums_below, recurrent_sums, attention, attention_of_heads}
"""Functions that take axes of experiments in front of their arguments' own."""


def _is_drawing(dropout: float, training: bool) -> bool:
    return training and dropout > 0


ENDS = {sequence_of, attention, attention_of_heads}
"""Those whose results other operations see."""


class _Recurrent:
    """A recurrent network of one or more layers, in one or both directions."""

    memory = False
    """Whether it has a memory beside its state."""

    def __init__(self, step: Callable[..., Any]) -> None:
        self._step = step

    def __call__(self, call: Calling, *given: Any) -> Any:
        """What it returns: its outputs, and each layer's last state. None if sequences differ in length."""
        if isinstance(given[3], list | tuple):  # the weights come a place later than they do with a plain sequence
            return None
        sequence, firsts, weights, biases, layers, dropout, training, both, batch_first = given
        if _is_drawing(dropout, training):
            return None
        if batch_first:
            sequence = call(torch.transpose, sequence, 0, 1)
        ways = 2 if both else 1
        size = len(weights) // (layers * ways)
        states = [call(steps_of, each) for each in (firsts if self.memory else [firsts])]
        lasts = []
        for layer in range(layers):
            found = []
            for way in range(ways):
                at = layer * ways + way
                first = [call(state_before, each[at], sequence, 3) for each in states]
                outputs, last = self._layer(call, sequence, first, weights[at * size : (at + 1) * size], biases, way)
                found.append(outputs)
                lasts.append(last)
            sequence = call(both_ways, *found) if both else found[0]
        ends = [call(sequence_of, *each) for each in zip(*lasts, strict=True)]
        return call(torch.transpose, sequence, 0, 1) if batch_first else sequence, *ends

    def _layer(
        self, call: Calling, sequence: Any, state: Sequence[Any], weights: Sequence[Any], biases: bool, way: int
    ) -> tuple[Any, Sequence[Any]]:
        """What a layer returns for a sequence in one direction, and its last state."""
        cell = [*weights[:2], *(weights[2:4] if biases else (None, None))]
        projection = weights[-1] if len(weights) % 2 else None
        outputs = []
        steps = call(steps_of, call(sums_below if self._is_one(cell) else F.linear, sequence, cell[0], cell[2]))
        both = list(zip(call(steps_of, sequence), steps, strict=True))
        for inputs, below in reversed(both) if way else both:
            state = self.after(call, inputs, below, state, cell)
            if projection is not None:
                state = [call(F.linear, state[0], projection, None), *state[1:]]
            outputs.append(state[0])
        return call(sequence_of, *(reversed(outputs) if way else outputs)), state

    def _is_one(self, cell: Sequence[Any]) -> bool:
        """Whether both matrices are moved as one layer: their sums are added, and both are searched as they are."""
        return self._step is not gru_step and all(each.requires_grad for each in cell if each is not None)

    def after(self, call: Calling, inputs: Any, below: Any, state: Sequence[Any], cell: Sequence[Any]) -> Sequence[Any]:
        """The state after a step, given its inputs, and what they add to the sums."""
        if self._is_one(cell):
            sums = call(recurrent_sums, below, inputs, state[0], *cell)
        else:
            before = call(F.linear, state[0], cell[1], cell[3])
            if self._step is gru_step:
                return [call(gru_step, below, before, state[0])]
            sums = call(torch.add, below, before)
        return list(call(self._step, sums, state[1])) if self.memory else [call(self._step, sums)]

    def cell(self, call: Calling, inputs: Any, state: Any, below: Any, before: Any, *biases: Any) -> Any:
        """A step by itself."""
        cell = [below, before, *(biases or (None, None))]
        sums = call(sums_below if self._is_one(cell) else F.linear, inputs, below, cell[2])
        state = [call(state_before, each, inputs, 2) for each in (state if self.memory else [state])]
        found = self.after(call, inputs, sums, state, cell)
        return tuple(found) if self.memory else found[0]


class _WithMemory(_Recurrent):
    memory = True


def _product_attention(
    call: Calling,
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    if dropout_p or enable_gqa or not query.dim() == key.dim() == value.dim():
        return None
    if is_causal:
        attn_mask = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool).tril()
    if attn_mask is not None and attn_mask.dim() < query.dim():
        attn_mask = call(torch.reshape, attn_mask, [*[1] * (query.dim() - attn_mask.dim()), *attn_mask.shape])
    return call(attention, query, key, value, attn_mask, scale)


def _multi_head_attention(
    call: Calling,
    query: Any,
    key: Any,
    value: Any,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Any,
    in_proj_bias: Any,
    bias_k: Any,
    bias_v: Any,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Any,
    out_proj_bias: Any,
    training: bool = True,
    key_padding_mask: Any = None,
    need_weights: bool = True,
    attn_mask: Any = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Any = None,
    k_proj_weight: Any = None,
    v_proj_weight: Any = None,
    static_k: Any = None,
    static_v: Any = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> Any:
    added = (bias_k, bias_v, static_k, static_v)
    if query.dim() != 3 or add_zero_attn or any(each is not None for each in added) or _is_drawing(dropout_p, training):
        return None
    if use_separate_proj_weight:
        biases = [None] * 3 if in_proj_bias is None else call(torch.chunk, in_proj_bias, 3)
        seen = zip((query, key, value), (q_proj_weight, k_proj_weight, v_proj_weight), biases, strict=True)
        projected = [_projected(call, *each) for each in seen]
    else:
        projected = _together(call, (query, key, value), in_proj_weight, in_proj_bias)
    if attn_mask is not None and attn_mask.dim() == 2:
        attn_mask = call(torch.unsqueeze, attn_mask, 0)
    found, weights = call(attention_of_heads, *projected, attn_mask, key_padding_mask, num_heads)
    if not need_weights:
        weights = None
    elif average_attn_weights:
        weights = call(torch.mean, weights, -3)
    return call(F.linear, found, out_proj_weight, out_proj_bias), weights


def _projected(call: Calling, inputs: Any, weight: Any, bias: Any) -> Any:
    product = call(F.linear, inputs, weight)
    return product if bias is None else call(torch.add, product, bias)


def _together(call: Calling, inputs: Sequence[Any], weight: Any, bias: Any) -> list[Any]:
    """Queries, keys and values by one layer, which is called once for each different tensor."""
    products: dict[int, Any] = {}
    for each in inputs:
        if id(each) not in products:
            products[id(each)] = call(thirds, call(F.linear, each, weight, bias))
    return [products[id(each)][third] for third, each in enumerate(inputs)]


_RECURRENT = {
    "lstm": _WithMemory(lstm_step),
    "gru": _Recurrent(gru_step),
    "rnn_tanh": _Recurrent(torch.tanh),
    "rnn_relu": _Recurrent(torch.relu),
}

UNROLLED: Mapping[Any, Unrolled] = {
    F.multi_head_attention_forward: _multi_head_attention,
    F.scaled_dot_product_attention: _product_attention,
    **{getattr(torch, name): each for name, each in _RECURRENT.items()},
    **{getattr(torch, f"{name}_cell"): each.cell for name, each in _RECURRENT.items()},
}
"""What does each operation that hides layers, or much of what is between them."""
