"""The data of the race as folders of IDX files, which every entry reads: test sets, or validation splits as theirs."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distsearch.data import datasets
from distsearch.data.datasets import Examples
from nondiff.rows import BOTH, FASHION, MNIST

VALIDATION = 10  # one in this many training examples, the last ones

Part = tuple[NDArray[np.uint8], NDArray[np.uint8]]  # images (examples, height, width) and labels (examples,)


def folder_of(name: str, sources: dict[str, str], into: Path, validate: bool) -> str:
    """The folder of a data set: its own, or one that is written below `into` unless it is there.

    validate: the last tenth of the training examples takes the place of the test set.
    """
    if name != BOTH and not validate:
        return sources[name]
    folder = into / (f"{name}-validation" if validate else name)
    if not folder.exists():
        parts = [_read(sources[each], validate) for each in ((MNIST, FASHION) if name == BOTH else (name,))]
        _write(folder, *(joined(*parts) if name == BOTH else parts[0]))
    return str(folder)


def joined(first: tuple[Part, Part], second: tuple[Part, Part]) -> tuple[Part, Part]:
    """Two data sets of ten classes as one of twenty, whose examples take turns."""
    train, test = (
        (_in_turns(one, other), _in_turns(ones, others + np.uint8(10)))
        for (one, ones), (other, others) in zip(first, second, strict=True)
    )
    return train, test


def _in_turns(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.stack([one, other], axis=1).reshape(-1, *one.shape[1:])


def split(train: Part) -> tuple[Part, Part]:
    """The first nine tenths of training examples, and the last tenth."""
    images, labels = train
    kept = len(images) - len(images) // VALIDATION
    return (images[:kept], labels[:kept]), (images[kept:], labels[kept:])


def _read(source: str, validate: bool) -> tuple[Part, Part]:
    dataset = datasets.load(source, numbers=False)
    if dataset.test is None or dataset.schema.classes != tuple("0123456789"):
        raise SystemExit(
            f"expected ten classes of images with a test set, but {source} has others: give another folder"
        )
    train = _part(dataset.train)
    return split(train) if validate else (train, _part(dataset.test))


def _part(examples: Examples) -> Part:
    images = np.rint(examples.features * 255).astype(np.uint8).reshape(len(examples.features), 28, 28)
    return images, examples.targets.astype(np.uint8)


def _write(folder: Path, train: Part, test: Part) -> None:
    """Write IDX files; the folder is renamed to its name once it is complete."""
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    unfinished.mkdir(parents=True, exist_ok=True)
    for name, (images, labels) in (("train", train), ("t10k", test)):
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
            (unfinished / f"{name}-{kind}-ubyte").write_bytes(header + array.tobytes())
    unfinished.rename(folder)
