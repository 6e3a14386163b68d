"""Fine-tuning without gradients: a small transformer that writes lines of Python learns to write calls that parse.

It is pre-trained here, with gradients, on statements of the standard library's sources. Then low-rank adapters are
tuned by whether each line that it writes can be parsed and calls something, which has no gradient, and both are
compared on prompts that neither has seen. See distsearch/guide/fine-tuning.md.
"""

import argparse
import ast
import subprocess
import sys
import sysconfig
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import nn

import distsearch
from distsearch.networks.modules.engine import exact
from distsearch.networks.modules.lora import add_adapters

LETTERS = "\n" + "".join(map(chr, range(32, 127)))
NUMBERS = {letter: number for number, letter in enumerate(LETTERS)}
LENGTH = 24  # of a line, with its end
PROMPT = 3  # letters that a line to be written begins with
HEADS = 4
HELD_OUT, LEARNT = 512, 2048  # prompts to compare on, and to tune on
MEASURED = 32  # lines written at once where memory is measured

Past = list[tuple[torch.Tensor, torch.Tensor]]
"""Keys and values of the letters so far, each (lines, HEADS, letters, width / HEADS), for each block."""


class Block(nn.Module):
    """Attention, and a layer for each letter by itself."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.seen, self.taken = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor, past: Any) -> tuple[torch.Tensor, Any]:
        """What it makes of new letters, (lines, letters, width), and the keys and values of all letters."""
        query, key, value = (
            each.unflatten(-1, (HEADS, -1)).transpose(1, 2) for each in self.seen(self.before(x)).chunk(3, -1)
        )
        if past:
            key, value = torch.cat([past[0], key], 2), torch.cat([past[1], value], 2)
        attended = F.scaled_dot_product_attention(query, key, value, is_causal=not past)
        x = x + self.taken(attended.transpose(1, 2).flatten(2))
        return x + self.narrow(F.gelu(self.wide(self.between(x)))), (key, value)


class Writer(nn.Module):
    """A transformer of two blocks that predicts each next letter."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.letters, self.places = nn.Embedding(len(LETTERS), width), nn.Embedding(LENGTH, width)
        self.blocks = nn.ModuleList(Block(width) for _ in range(2))
        self.normal, self.next = nn.LayerNorm(width), nn.Linear(width, len(LETTERS))

    def forward(self, letters: torch.Tensor, past: Past | None = None) -> tuple[torch.Tensor, Past]:
        """Each next letter's logits, (lines, letters, LETTERS), after new letters, (lines, letters), and their past."""
        first = past[0][0].shape[2] if past else 0
        x = self.letters(letters) + self.places(torch.arange(first, first + letters.shape[1]))
        kept = []
        for number, block in enumerate(self.blocks):
            x, seen = block(x, past and past[number])
            kept.append(seen)
        return self.next(self.normal(x)), kept


def parsed(line: str) -> ast.AST | None:
    """The syntax tree of a line by itself; None if it is not Python."""
    try:
        with warnings.catch_warnings(action="ignore"):
            return ast.parse(line)
    except (SyntaxError, ValueError, MemoryError):
        return None


def is_call(line: str) -> bool:
    """What is rewarded: that a line is Python, and calls something."""
    tree = parsed(line)
    return tree is not None and any(isinstance(each, ast.Call) for each in ast.walk(tree))


def source_lines() -> Iterator[str]:
    """Short statements of the standard library's sources, without their indentation."""
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        for line in map(str.strip, path.read_text("utf-8").splitlines()):
            plain = line[:1].isalpha() and line.isascii() and line.isprintable()
            if plain and PROMPT < len(line) < LENGTH and parsed(line):
                yield line


def as_numbers(lines: Sequence[str], length: int) -> torch.Tensor:
    """The first letters of lines, (lines, length), with ends behind."""
    return torch.tensor([[NUMBERS[letter] for letter in line[:length].ljust(length, "\n")] for line in lines])


def pre_train(writer: Writer, lines: torch.Tensor, steps: int) -> float:
    """Train with gradients to predict every next letter; the loss of the last steps."""
    optimizer, losses = torch.optim.AdamW(writer.parameters(), 4e-3), []
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, steps)
    for _ in range(steps):
        some = lines[torch.randint(len(lines), (64,))]
        wanted = some[:, 1:].clone()
        wanted[:, 1:][some[:, 1:-1] == 0] = -100  # of the ends behind a line, only the first counts
        loss = F.cross_entropy(writer(some[:, :-1])[0].flatten(0, 1), wanted.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return float(np.mean(losses[-50:]))


def write(writer: nn.Module, prompts: torch.Tensor) -> list[str]:
    """Lines that begin with prompts, (lines, PROMPT); each letter is drawn with the probability that the writer gives.

    It is the one that comes first if each comes at its own rate, so a writer that changes a little changes few letters.
    """
    letters = new = prompts.long()
    past = None
    while letters.shape[1] < LENGTH:
        logits, past = writer(new, past)
        waits = torch.empty(len(letters), len(LETTERS)).exponential_()
        new = (waits.log() - logits[:, -1]).argmin(-1, keepdim=True)
        letters = torch.cat([letters, new], 1)
    return ["".join(LETTERS[number] for number in line).partition("\n")[0] for line in letters.tolist()]


def failures(writer: nn.Module, batch: Any) -> NDArray[np.float32]:
    """The loss: 1 for each line that is not rewarded, (lines,)."""
    return np.array([not is_call(line) for line in write(writer, batch.inputs)], np.float32)


failures.takes_module = True


def tuned_writer(path: str, width: int) -> nn.Module:
    """The pre-trained writer with adapters, which alone are searched."""
    writer = Writer(width)
    writer.load_state_dict(load_file(path))
    return add_adapters(writer, rank=1, alpha=6, layers="blocks.*.taken, blocks.*.narrow, next")


def tune(path: str, prompts: torch.Tensor, given: argparse.Namespace) -> Any:
    """Search for the adapters' weights, without gradients."""
    return distsearch.search(
        prompts.numpy(),
        np.zeros(len(prompts)),
        model=partial(tuned_writer, path, given.width),
        loss=failures,
        trainable="*.lora_B.*",
        strategy="evolution-strategy",
        rank=0,
        sigma=0.1,
        rate=0.05,
        schedule="cosine",
        population=given.population,
        rounds=given.rounds,
        batch=min(given.batch, len(prompts)),
        measure_every=given.rounds,
        validation_share=0,
        workers=given.workers,
    )


def show(title: str, writer: nn.Module, prompts: torch.Tensor) -> None:
    """Print the share of lines that are rewarded, and the first of them."""
    torch.manual_seed(1)
    with exact():
        lines = write(writer.eval(), prompts)
    share = np.mean([is_call(line) for line in lines])
    print(f"{title}: {share:.0%} of {len(lines)} lines are rewarded, {len(set(lines))} of them different")
    for line in lines[:8]:
        print(f"    {'yes' if is_call(line) else 'no ':<4} {line}")


def memory_of(part: str, path: str, given: argparse.Namespace) -> float:
    """The most memory, in MB, that a process of its own takes for inference or tuning, above what its imports take."""
    command = [sys.executable, __file__, "--part", part, "--weights", path, "--width", str(given.memory_width)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def peak_memory() -> float:
    """The most memory, in MB, that this process has had, on Linux; what getrusage says would count the parent's."""
    status = Path("/proc/self/status").read_text("utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def do_part(given: argparse.Namespace) -> None:
    """Infer or tune alone, in this process, and print how much memory it took at most, in MB."""
    before = peak_memory()
    prompts = as_numbers(["ret"] * MEASURED, PROMPT)
    if given.part == "inference":
        with exact():
            write(tuned_writer(given.weights, given.width).eval(), prompts)
    else:
        given.rounds, given.population, given.batch, given.workers = 2, 4, MEASURED, 0
        tune(given.weights, prompts, given)
    print(peak_memory() - before)


def arguments() -> argparse.Namespace:
    """What was typed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=2000, help="of pre-training, with gradients")
    parser.add_argument("--rounds", type=int, default=60, help="of tuning, without")
    parser.add_argument("--population", type=int, default=64, help="candidates per round")
    parser.add_argument("--batch", type=int, default=64, help="lines that each candidate writes")
    parser.add_argument("--width", type=int, default=64, help=f"of the transformer, a multiple of {HEADS}")
    parser.add_argument(
        "--memory-width", type=int, default=1024, help="of another one, whose memory is measured, on Linux; 0: of none"
    )
    parser.add_argument("--workers", type=int, help="Ray workers; 0: none; by default one for each core")
    parser.add_argument("--part", choices=("inference", "tuning"), help=argparse.SUPPRESS)
    parser.add_argument("--weights", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Pre-train, tune, and print what came of it."""
    given = arguments()
    if given.part:
        do_part(given)
        return
    torch.manual_seed(0)
    lines = sorted(set(source_lines()))
    lines = [lines[number] for number in torch.randperm(len(lines)).tolist()]
    held_out, learnt = (as_numbers(each, PROMPT) for each in (lines[:HELD_OUT], lines[HELD_OUT : HELD_OUT + LEARNT]))
    rest = as_numbers(lines[HELD_OUT + LEARNT :], LENGTH)
    writer = Writer(given.width)
    with exact(), torch.enable_grad():  # on one thread: the matrices are small
        loss = pre_train(writer, rest, given.steps)
    count = sum(each.numel() for each in writer.parameters())
    print(f"pre-trained: {count:,} weights, {len(rest):,} lines, {given.steps} steps, loss {loss:.2f} per letter")
    show("before", writer, held_out)
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/writer.safetensors"
        save_file(writer.state_dict(), path)
        found = tune(path, learnt, given)
        print(f"tuned: {found.weights.size:,} weights, {given.rounds} rounds of {given.population} candidates")
        show("after", found.module, held_out)
        if given.memory_width:
            save_file(Writer(given.memory_width).state_dict(), path)
            inference, tuning = (memory_of(part, path, given) for part in ("inference", "tuning"))
            print(f"memory at width {given.memory_width}: {inference:.0f} MB for inference, {tuning:.0f} MB for tuning")


if __name__ == "__main__":
    main()
