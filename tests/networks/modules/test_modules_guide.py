"""What the guide says of modules, run as it stands there."""

import re
import shlex
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from module_networks import made
from programs import succeeded
from safetensors.numpy import load_file
from safetensors.torch import load_file as load_torch
from safetensors.torch import save_file
from torch import nn

import distsearch

QUICK = ("--workers", "0", "--rounds", "12")  # what a module learns is tested elsewhere
PAGE = (Path(distsearch.__file__).parent / "guide" / "modules.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.slow
def test_the_guide_s_module_is_searched_and_tuned(tmp_path):
    (tmp_path / "mine.py").write_text(next(block for block in blocks("python") if "class Choice" in block))
    for line in "".join(blocks("sh")).replace("\\\n", "").splitlines():
        words = shlex.split(line)[1:]
        succeeded(*words, *(QUICK if words[0] == "run" else ()), cwd=tmp_path)
    base, tuned = (load_file(tmp_path / "runs" / run / "best.safetensors") for run in ("choice", "tuned"))
    changed = {name for name, tensor in base.items() if not np.array_equal(tensor, tuned[name])}
    assert changed == {"outputs.weight", "outputs.bias"}


def test_the_guide_s_loss_is_given_the_module():
    program = next(block for block in blocks("python") if "takes_module" in block)
    names = {"torch": torch, "nn": nn, "distsearch": distsearch, "starts": np.eye(3), "zeros": np.zeros(3)}
    exec(program.replace("rounds=100", "rounds=20, workers=0"), names)  # noqa: S102  (our own page)
    result = names["result"]
    assert result.loss < 0.8 * result.history[0].center_loss


@pytest.mark.slow
def test_the_guide_s_commands_for_a_gpu_run_on_what_there_is(tmp_path):
    page = (Path(distsearch.__file__).parent / "guide" / "gpu.md").read_text("utf-8")
    (tmp_path / "mine.py").write_text(re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0])
    for line in "".join(re.findall(r"```sh\n(.*?)```", page, re.DOTALL)).splitlines():
        words = shlex.split(line)[1:]
        said = succeeded(*words, *(QUICK if words[0] == "run" else ()), cwd=tmp_path).stderr
        if "auto" in words and not torch.cuda.is_available():
            assert "--device auto: torch finds no GPU here, so the model computes on the processor" in said


class Writer(nn.Module):
    """What the page on fine-tuning calls one: it says how far to go from each letter to the next."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.ModuleDict({"seen": nn.Linear(4, 4), "wide": nn.Linear(4, 4), "other": nn.Linear(4, 4)})
            for _ in range(2)
        )

    def forward(self, letters):
        for block in self.blocks:
            letters = letters + block["other"](torch.tanh(block["wide"](block["seen"](letters))))
        return letters


def test_the_guide_s_adapters_are_tuned_by_a_reward(monkeypatch, tmp_path):
    page = (Path(distsearch.__file__).parent / "guide" / "fine-tuning.md").read_text("utf-8")
    program = "\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL))
    monkeypatch.chdir(tmp_path)
    save_file(Writer().state_dict(), "writer.safetensors")
    names = {
        "Writer": Writer,
        "load_file": load_torch,
        "np": np,
        "distsearch": distsearch,
        "write": lambda module, inputs: module(inputs).tolist(),
        "parses": lambda line: sum(line) > 0,
        "prompts": np.eye(4),
    }
    exec(program.replace("batch=32", "rounds=1, population=4, workers=0"), names)  # noqa: S102  (our own page)
    adapted = [name for name, each in names["result"].module.named_modules() if hasattr(each, "lora_A")]
    assert adapted == ["blocks.0.seen", "blocks.0.wide", "blocks.1.seen", "blocks.1.wide"]
    merged = names["merge_adapters"](names["result"].module).state_dict()
    assert merged.keys() == Writer().state_dict().keys()


def test_the_guide_s_demonstration_raises_the_reward(monkeypatch, capsys):
    monkeypatch.syspath_prepend(Path(__file__).parents[3] / "scripts")
    import fine_tune_text as demonstration

    rewarded = [demonstration.is_call(line) for line in ("f(x)", "a = g()", "a = 1", "f(x", "if f(x):", "\0")]
    assert rewarded == [True, True, False, False, False, False]
    lines = demonstration.source_lines
    monkeypatch.setattr(demonstration, "source_lines", lambda: islice(lines(), 8000))
    flags = "--steps 400 --rounds 20 --population 32 --batch 32 --width 16 --memory-width 0 --workers 0"
    monkeypatch.setattr("sys.argv", ["fine_tune_text.py", *flags.split()])
    with torch.random.fork_rng():
        demonstration.main()
    said = capsys.readouterr().out
    before, after = map(int, re.findall(r"^(?:before|after): (\d+)% of 512 lines", said, re.MULTILINE))
    assert after >= before + 10  # 4 and 27


def test_the_guide_s_own_layer_is_declared():
    names = {"nn": nn, "torch": torch}
    exec(next(block for block in blocks("python") if "class Mixed" in block), names)  # noqa: S102
    kinds = [each.layer.kind for each in made(names["Signs"], (64,), 10).anatomy.layers]
    assert kinds == ["own linear", "own linear"]
