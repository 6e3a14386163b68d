"""Fine-tuning without gradients: a small transformer writes lines of Python, and learns that they have to parse.

It is pre-trained here, with gradients, on lines of the standard library's sources, many of which are only the beginning
of a statement. Then low-rank adapters are tuned by whether what it writes can be parsed, which has no gradient. See
distsearch/guide/fine-tuning.md.
"""

import argparse
import ast
import importlib.util
import resource
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

import distsearch
from distsearch.networks.modules.lora import add_adapters

MODULES = (
    *("argparse", "ast", "calendar", "configparser", "csv", "datetime", "difflib", "dis", "doctest", "fractions"),
    *("heapq", "inspect", "json.decoder", "json.encoder", "logging", "optparse", "pdb", "pickle", "pickletools"),
    *("random", "shutil", "statistics", "string", "tarfile", "textwrap", "threading", "tokenize", "typing", "uuid"),
    *("unittest.case", "unittest.mock", "urllib.parse", "urllib.request", "zipfile"),
)
LETTERS = "\n" + "".join(map(chr, range(32, 127)))
NUMBERS = {letter: number for number, letter in enumerate(LETTERS)}
LENGTH = 28  # of a line, with its end
PROMPT = 4  # letters that a line to be written begins with
WIDTH = 64


class Block(nn.Module):
    """Attention and a layer of its own for each letter."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.seen, self.taken = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The letters' values after it, (lines, letters, width)."""
        parts = [each.unflatten(-1, (4, -1)).transpose(1, 2) for each in self.seen(self.before(x)).chunk(3, -1)]
        attended = F.scaled_dot_product_attention(*parts, is_causal=True).transpose(1, 2).flatten(2)
        x = x + self.taken(attended)
        return x + self.narrow(F.gelu(self.wide(self.between(x))))


class Writer(nn.Module):
    """The logarithms of how likely each next letter is, (lines, letters, LETTERS), from letters, (lines, letters)."""

    def __init__(self, width: int = WIDTH, depth: int = 2) -> None:
        super().__init__()
        self.letters, self.places = nn.Embedding(len(LETTERS), width), nn.Embedding(LENGTH, width)
        self.blocks = nn.Sequential(*[Block(width) for _ in range(depth)])
        self.normal, self.next = nn.LayerNorm(width), nn.Linear(width, len(LETTERS))

    def forward(self, letters: torch.Tensor) -> torch.Tensor:
        """See the class."""
        x = self.letters(letters) + self.places(torch.arange(letters.shape[1]))
        return self.next(self.normal(self.blocks(x)))


def source_lines() -> Iterator[str]:
    """Short lines of the standard library's sources, without their indentation."""
    for name in MODULES:
        spec = importlib.util.find_spec(name)
        for line in Path(spec.origin).read_text("utf-8").splitlines() if spec and spec.origin else ():
            line = line.strip()
            if PROMPT < len(line) < LENGTH and line[0].isalpha() and line.isascii() and line.isprintable():
                yield line


def as_numbers(lines: list[str], length: int) -> torch.Tensor:
    """The letters of lines, (lines, length), with ends behind."""
    return torch.tensor([[NUMBERS[letter] for letter in line.ljust(length, "\n")] for line in lines])


def pre_train(writer: Writer, lines: torch.Tensor, steps: int) -> float:
    """Train with gradients to predict every next letter; the loss of the last steps."""
    optimizer, losses = torch.optim.Adam(writer.parameters(), 3e-3), [0.0]
    for _ in range(steps):
        some = lines[torch.randint(len(lines), (64,))]
        predicted, wanted = writer(some[:, :-1]), some[:, 1:].clone()
        wanted[:, 1:][some[:, 1:-1] == 0] = -100  # of the ends behind a line, only the first counts
        loss = F.cross_entropy(predicted.flatten(0, 1), wanted.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return float(np.mean(losses[-20:]))


def write(writer: nn.Module, prompts: torch.Tensor) -> list[str]:
    """Lines that begin with prompts, (lines, PROMPT): each letter drawn as likely as the writer says."""
    letters = prompts.long()
    while letters.shape[1] < LENGTH:
        likely = torch.softmax(writer(letters)[:, -1], -1)
        letters = torch.cat([letters, torch.multinomial(likely, 1)], 1)
    return ["".join(LETTERS[number] for number in line).partition("\n")[0] for line in letters.tolist()]


def parses(line: str) -> bool:
    """Whether a line is Python by itself."""
    try:
        with warnings.catch_warnings(action="ignore"):
            ast.parse(line)
    except (SyntaxError, ValueError, MemoryError):
        return False
    return True


def failures(writer: nn.Module, batch: distsearch.search) -> np.ndarray:
    """The loss: 1 for each line that does not parse, (lines,)."""
    return np.array([not parses(line) for line in write(writer, batch.inputs)], np.float32)


failures.takes_module = True


def tuned_writer(path: str, width: int) -> nn.Module:
    """The pre-trained writer with adapters, which alone are searched."""
    writer = Writer(width)
    writer.load_state_dict(load_file(path))
    return add_adapters(writer, rank=4, alpha=8)


def show(title: str, writer: nn.Module, prompts: torch.Tensor) -> None:
    """Print the share of lines that parse, and the first of them."""
    torch.manual_seed(1)
    with torch.no_grad():
        lines = write(writer, prompts)
    print(f"{title}: {np.mean([parses(line) for line in lines]):.1%} of {len(lines)} lines parse")
    for line in lines[:6]:
        print(f"    {'yes' if parses(line) else 'no ':<4} {line}")


def tune(path: str, prompts: torch.Tensor, given: argparse.Namespace) -> distsearch.search:
    """The search for the adapters' weights."""
    return distsearch.search(
        prompts.numpy(),
        np.zeros(len(prompts)),
        model=partial(tuned_writer, path, given.width),
        loss=failures,
        strategy="evolution-strategy",
        rank=0,
        sigma=0.05,
        rate=0.02,
        schedule="cosine",
        population=given.population,
        rounds=given.rounds,
        batch=min(32, len(prompts)),
        measure_every=given.rounds,
        seed=given.seed,
        workers=given.workers,
    )


def memory_of(part: str, path: str, given: argparse.Namespace) -> float:
    """The most memory in MB that a process takes for inference or for tuning, above what its imports take."""
    command = [sys.executable, __file__, "--part", part, "--weights", path, "--width", str(given.memory_width)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def print_memory(part: str, path: str, given: argparse.Namespace) -> None:
    """Do a part alone, in this process, and print what it took."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    prompts = as_numbers(["retu"] * 32, PROMPT)
    if part == "inference":
        with torch.no_grad():
            write(tuned_writer(path, given.width).eval(), prompts)
    else:
        given.rounds, given.population, given.workers = 2, 4, 0
        tune(path, prompts, given)
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)


def arguments() -> argparse.Namespace:
    """What was typed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=600, help="of pre-training, with gradients")
    parser.add_argument("--rounds", type=int, default=60, help="of tuning, without")
    parser.add_argument("--population", type=int, default=32)
    parser.add_argument("--width", type=int, default=WIDTH, help="of the transformer, a multiple of 4")
    parser.add_argument(
        "--memory-width", type=int, default=1024, help="of another one, whose memory is measured; 0: of none"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=None)
    parser.add_argument("--part", choices=("inference", "tuning"), help=argparse.SUPPRESS)
    parser.add_argument("--weights", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    given = arguments()
    torch.manual_seed(given.seed)
    if given.part:
        print_memory(given.part, given.weights, given)
        return
    lines = sorted(set(source_lines()))
    order = torch.randperm(len(lines)).tolist()
    held_out, learnt, rest = order[:256], order[256:768], order[768:]
    writer = Writer(given.width)
    loss = pre_train(writer, as_numbers([lines[at] for at in rest], LENGTH), given.steps)
    count = sum(each.numel() for each in writer.parameters())
    print(f"pre-trained: {count:,} weights, {len(rest):,} lines, {given.steps} steps, loss {loss:.2f} per letter")
    prompts = as_numbers([lines[at][:PROMPT] for at in held_out], PROMPT)
    show("before", writer, prompts)
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/writer.safetensors"
        save_file(writer.state_dict(), path)
        found = tune(path, as_numbers([lines[at][:PROMPT] for at in learnt], PROMPT), given)
        print(f"tuned: {found.weights.size:,} weights of adapters, {given.rounds} rounds of {given.population}")
        show("after", found.module, prompts)
        if not given.memory_width:
            return
        save_file(Writer(given.memory_width).state_dict(), path)
        inference, tuning = (max(1.0, memory_of(part, path, given)) for part in ("inference", "tuning"))
    print(
        f"peak memory at width {given.memory_width}: {inference:.0f} MB for inference, {tuning:.0f} MB for tuning: ",
        end="",
    )
    print(f"{tuning / inference:.2f} times")


if __name__ == "__main__":
    main()
