"""The reader of NPZ files: NumPy arrays X and y, or x_train, y_train, x_test and y_test. Nothing is unpickled."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from distsearch.data.raw import Raw, Selection, listed, reading
from distsearch.errors import DataError
from distsearch.machine import memory

ARRAY_COPIES = 2  # the original, and its float32 copy


def read(path: str, selection: Selection) -> Raw:
    """Read arrays X and y; or x_train and y_train, and optionally x_test and y_test. Case does not matter."""
    with (
        # On damaged bytes, zipfile and NumPy raise almost anything.
        reading(path, "an NPZ file with arrays of numbers or text", damage=(Exception,)),
        open(path, "rb") as file,
        np.lib.npyio.NpzFile(file, allow_pickle=False) as content,
    ):
        names = {name.lower(): name for name in content.files}
        part = "" if "x" in names else "_train"
        train = _part(path, content, names, part, selection)
        test = _part(path, content, names, "_test", selection) if part and "x_test" in names else None
    return replace(train, test=test)


def _part(path: str, content: np.lib.npyio.NpzFile, names: Mapping[str, str], part: str, selection: Selection) -> Raw:
    arrays = []
    for name in (f"x{part}", f"y{part}") if selection.targets else (f"x{part}",):
        if name not in names:
            raise DataError(
                f"{path}: expected arrays X and y, or x_train, y_train, x_test and y_test, got {listed(list(content))}"
            )
        _require_memory(path, content, names[name])
        array = content[names[name]]
        if not isinstance(array, np.ndarray):  # NumPy returns bytes if the array's own magic number is damaged
            raise DataError(f"{path}: expected {names[name]} to be an array, but it is damaged; write the file again")
        arrays.append(array)
    source = f"{path} (x_test)" if part == "_test" else path
    return Raw(source, arrays[0], arrays[1] if selection.targets else None)


def _require_memory(path: str, content: np.lib.npyio.NpzFile, name: str) -> None:
    """Raise TooLargeError if an array exceeds memory by its size in the archive; NumPy reads no more than that."""
    members = content.zip.infolist() if content.zip else []
    size = max((member.file_size for member in members if member.filename in (name, f"{name}.npy")), default=0)
    memory.require(f"the array {name} of {path}", ARRAY_COPIES * size, "train on a part of it")
