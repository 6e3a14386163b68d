"""Tensors that other programs have written: a safetensors file as weights to begin with."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from distsearch.errors import SettingError

PICKLED = {".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle"}


def read(path: Path) -> dict[str, NDArray[np.float32]]:
    """The tensors of a safetensors file, by their names. Raises SettingError for any other file."""
    if path.suffix in PICKLED:
        raise SettingError(
            f"start: {path.name} is a pickle, which could run any code, and is not read: write its tensors with "
            f'safetensors.torch.save_file(torch.load("{path.name}", weights_only=True), "{path.stem}.safetensors")'
        )
    try:
        return load_file(path)
    except (SafetensorError, OSError, KeyError, TypeError) as error:  # the last two of types that NumPy has not
        raise SettingError(
            f"start: expected a run, or a .safetensors file of float32 or float16, got {path}: {error}"
        ) from None
