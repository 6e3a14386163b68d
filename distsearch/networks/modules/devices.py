"""Which device a module computes on. torch is only imported where it has to be asked."""

import os
from functools import cache

from distsearch.errors import SettingError

CPU, CUDA, AUTO = "cpu", "cuda", "auto"


@cache
def gpu() -> str:
    """The name of the GPU that torch uses in this process; empty if there is none.

    Its matrix products are then the same bits each time: cuBLAS reads its setting when it is first used.
    """
    import torch

    if not torch.cuda.is_available():
        return ""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    return str(torch.cuda.get_device_name())


def chosen(device: str) -> tuple[str, str]:
    """The device that is meant, cpu or cuda; and a sentence if `auto` finds no GPU, else empty."""
    if device != AUTO:
        return device, ""
    if gpu():
        return CUDA, ""
    return CPU, "--device auto: torch finds no GPU here, so the model computes on the processor"


def here(device: str) -> str:
    """Where that is in this process: on the processor, if there is no GPU."""
    return CUDA if device == CUDA and gpu() else CPU


def check(device: str) -> None:
    """SettingError if torch cannot use this device here."""
    if device == CUDA and not gpu():
        raise SettingError(
            "network.device: expected a GPU that torch can use, and it finds none: choose --device cpu, or install a "
            "build of torch for your GPU and its driver"
        )
