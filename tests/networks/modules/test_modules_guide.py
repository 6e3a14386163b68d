"""What the guide says of modules, run as it stands there."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from module_networks import made
from programs import succeeded
from safetensors.numpy import load_file
from torch import nn

import distsearch

QUICK = ("--workers", "0", "--rounds", "12")  # what a module learns is tested elsewhere
PAGE = (Path(distsearch.__file__).parent / "guide" / "modules.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.slow
def test_the_guide_s_module_is_searched_and_tuned(tmp_path):
    made, loaded = (block for block in blocks("python") if "class Choice" in block or "def tuned" in block)
    (tmp_path / "mine.py").write_text(made + loaded)
    for line in "".join(blocks("sh")).splitlines():
        words = shlex.split(line)[1:]
        succeeded(*words, *(QUICK if words[0] == "run" else ()), cwd=tmp_path)
    base, tuned = (load_file(tmp_path / "runs" / run / "best.safetensors") for run in ("choice", "tuned"))
    changed = {name for name, tensor in base.items() if not np.array_equal(tensor, tuned[name])}
    assert changed == {"outputs.weight", "outputs.bias"}


def test_the_guide_s_own_layer_is_declared():
    names = {"nn": nn, "torch": torch}
    exec(next(block for block in blocks("python") if "class Mixed" in block), names)  # noqa: S102
    kinds = [each.layer.kind for each in made(names["Signs"], (64,), 10).anatomy.layers]
    assert kinds == ["own linear", "own linear"]
