"""How torch computes here: on one thread, deterministically, in float32 and without gradients.

Then a module's outputs are the same bits in every process. What the user has set is restored afterwards.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

import torch

from distsearch.errors import DistsearchError, ObjectiveError

P = ParamSpec("P")
T = TypeVar("T")


@contextmanager
def exact() -> Iterator[None]:
    """Compute the same bits everywhere while entered."""
    threads, deterministic = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    precision = torch.get_float32_matmul_precision()
    kind, fast = torch.get_default_dtype(), torch.backends.mha.get_fastpath_enabled()
    try:
        torch.set_num_threads(1)
        torch.set_deterministic_debug_mode("error")  # use_deterministic_algorithms would import the compiler: seconds
        torch.set_float32_matmul_precision("highest")
        torch.set_default_dtype(torch.float32)
        torch.backends.mha.set_fastpath_enabled(False)
        with torch.no_grad():
            yield
    finally:
        torch.set_num_threads(threads)
        torch.set_deterministic_debug_mode(deterministic)
        torch.set_float32_matmul_precision(precision)
        torch.set_default_dtype(kind)
        torch.backends.mha.set_fastpath_enabled(fast)


def exactly(method: Callable[P, T]) -> Callable[P, T]:
    """The method, computing so; errors of the user's module are ObjectiveError."""

    @wraps(method)
    def inside(*arguments: P.args, **named: P.kwargs) -> T:
        with exact():
            try:
                return method(*arguments, **named)
            except DistsearchError:
                raise
            except Exception as error:
                raise ObjectiveError(failure(error)) from error

    return inside


def failure(error: Exception) -> str:
    """A sentence for an error that a module has raised, and what to do where that is known."""
    text = str(error).strip().splitlines()[0] if str(error).strip() else "no message"
    sentence = f"the model raised {type(error).__name__}: {text}"
    if "indices" in text and "Long" in text:
        return f"{sentence}; its inputs come as float32: call .long() on them in its forward"
    if "does not require grad" in text:
        return f"{sentence}; its forward needs gradients, and none are computed here: remove torch.autograd from it"
    return sentence
