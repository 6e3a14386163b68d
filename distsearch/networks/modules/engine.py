"""How torch computes here: on one thread, deterministically, in float32 and without gradients.

Then a module's outputs are the same bits in every process; on a GPU, with every GPU of its kind. Forward passes may be
in bfloat16. What the user has set is restored afterwards.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from distsearch.errors import DistsearchError, ObjectiveError
from distsearch.networks.modules import devices
from distsearch.networks.modules.devices import CPU, CUDA

P = ParamSpec("P")
T = TypeVar("T")

CLOSE = 1e-3
CLOSE_IN_BFLOAT16 = 0.05  # which has 8 bits
ROOM = 32 * 1024 * 1024  # bytes; most of them are gone before the last ones are made
ROOM_ON_GPU = 4 * 1024 * 1024 * 1024


@dataclass(frozen=True)
class Computing:
    """What a module is computed on, and how exactly."""

    device: str = CPU
    """The run's, on which depends what is computed together; where there is no GPU, it is the processor that does."""
    precision: str = "float32"
    """That of forward passes: float32 or bfloat16."""

    @property
    def on_gpu(self) -> bool:
        """Whether the run is one on a GPU."""
        return self.device == CUDA

    @property
    def here(self) -> str:
        """The device of this process, as torch calls it."""
        return devices.here(self.device)

    @property
    def room(self) -> int:
        """The bytes of what is computed together: on a processor little enough for much of it to stay in its cache."""
        return ROOM_ON_GPU if self.on_gpu else ROOM

    @property
    def closeness(self) -> float:
        """How far apart, relatively and absolutely, what two ways of computing the same give may be."""
        return CLOSE if self.precision == "float32" else CLOSE_IN_BFLOAT16

    def tensor(self, array: NDArray[Any]) -> Any:
        """The array on the device; on the processor they share their memory."""
        return torch.from_numpy(array).to(self.here)

    def passing(self) -> AbstractContextManager[Any]:
        """What forward passes are in: products are computed in the precision, from weights in float32."""
        if self.precision == "float32":
            return nullcontext()
        return torch.autocast(self.here, torch.bfloat16)

    def seeded(self, seed: int) -> AbstractContextManager[Any]:
        """While entered, torch's generators begin at a seed; what they were is restored afterwards."""
        return _seeded(seed, [] if self.here == CPU else [torch.cuda.current_device()])


ON_CPU = Computing()


def array_of(tensor: Any) -> NDArray[np.float32]:
    """A tensor as an array in float32; on the processor they share their memory if it is of float32."""
    found: NDArray[np.float32] = tensor.detach().to(CPU, torch.float32).numpy()
    return found


class Computes(Protocol):
    """What computes with torch."""

    @property
    def computing(self) -> Computing:
        """On what, and how exactly."""
        ...


C = TypeVar("C", bound=Computes)


@contextmanager
def exact(device: str = CPU) -> Iterator[None]:
    """Compute the same bits everywhere while entered; new tensors are made on the device."""
    threads, deterministic = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    precision = torch.get_float32_matmul_precision()
    kind, fast = torch.get_default_dtype(), torch.backends.mha.get_fastpath_enabled()
    try:
        torch.set_num_threads(1)
        torch.set_deterministic_debug_mode("error")  # use_deterministic_algorithms would import the compiler: seconds
        torch.set_float32_matmul_precision("highest")
        torch.set_default_dtype(torch.float32)
        torch.backends.mha.set_fastpath_enabled(False)
        usual = torch.get_default_device().type == CPU
        with torch.no_grad(), _exact_on(device) if device != CPU else nullcontext() if usual else torch.device(CPU):
            yield
    finally:
        torch.set_num_threads(threads)
        torch.set_deterministic_debug_mode(deterministic)
        torch.set_float32_matmul_precision(precision)
        torch.set_default_dtype(kind)
        torch.backends.mha.set_fastpath_enabled(fast)


@contextmanager
def _exact_on(gpu: str) -> Iterator[None]:
    """Convolutions in whole float32 and by the same algorithm each time; new tensors are made there."""
    with ExitStack() as entered:
        if torch.backends.cudnn.is_available():
            flags = torch.backends.cudnn.flags
            entered.enter_context(flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False))
        entered.enter_context(torch.device(gpu))
        yield


@contextmanager
def _seeded(seed: int, gpus: list[int]) -> Iterator[None]:
    with torch.random.fork_rng(devices=gpus):
        torch.manual_seed(seed)
        yield


@contextmanager
def in_any_order() -> Iterator[None]:
    """For operations that write each element once: on a GPU the deterministic ones would sort their indices first."""
    torch.set_deterministic_debug_mode("default")
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode("error")


def exactly(method: Callable[Concatenate[C, P], T]) -> Callable[Concatenate[C, P], T]:
    """The method, computing so; errors of the user's module are ObjectiveError."""

    @wraps(method)
    def inside(computes: C, /, *arguments: P.args, **named: P.kwargs) -> T:
        with exact(computes.computing.here):
            try:
                return method(computes, *arguments, **named)
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
    if "deterministic" in text:
        return f"{sentence}; such an operation gives other bits each time on a GPU: compute on the processor"
    if "BFloat16" in text:
        return (
            f"{sentence}; layers return bfloat16 here: make other tensors like these, or choose the precision float32"
        )
    if "same device" in text:
        return f"{sentence}; keep the tensors of its own as buffers, or make them inside its forward"
    return sentence
