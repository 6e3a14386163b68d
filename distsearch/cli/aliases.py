"""Commands and options as other programs call them, understood as our own."""

from collections.abc import Sequence

from distsearch.cli.output import say
from distsearch.errors import UserError

SETTINGS = ("run", "config", "compare", "submit")
"""The commands that have options for all settings."""

COMMANDS = {
    "train": "run",
    "fit": "run",
    "ls": "list",
    "runs": "list",
    "rm": "remove",
    "delete": "remove",
    "mv": "rename",
    "score": "evaluate",
    "docs": "guide",
    "version": "--version",
}
OPTIONS = {
    "--epochs": "--rounds",
    "--n-epochs": "--rounds",
    "--num-epochs": "--rounds",
    "--iterations": "--rounds",
    "--generations": "--rounds",
    "--max-iter": "--rounds",
    "--steps": "--rounds",
    "--lr": "--rate",
    "--learning-rate": "--rate",
    "--step-size": "--sigma",
    "--noise": "--sigma",
    "--weight-decay": "--decay",
    "--batch-size": "--batch",
    "--pop-size": "--population",
    "--popsize": "--population",
    "--hidden": "--layers",
    "--hidden-layers": "--layers",
    "--hidden-size": "--layers",
    "--hidden-sizes": "--layers",
    "--hidden-layer-sizes": "--layers",
    "--activations": "--activation",
    "--dataset": "--data",
    "--file": "--data",
    "--label": "--target",
    "--labels": "--target",
    "--metric": "--metrics",
    "--constraint": "--subject-to",
    "--constraints": "--subject-to",
    "--criterion": "--loss",
    "--algorithm": "--strategy",
    "--method": "--strategy",
    "--timeout": "--seconds",
    "--jobs": "--workers",
    "--n-jobs": "--workers",
    "--num-workers": "--workers",
    "--threads": "--workers",
    "--test-size": "--test-share",
    "--test-split": "--test-share",
    "--validation": "--validation-share",
    "--validation-split": "--validation-share",
    "--val-split": "--validation-share",
    "--standardize": "--scale",
    "--standardise": "--scale",
    "--normalize": "--scale",
    "--random-state": "--seed",
    "--init": "--start",
    "--output-dir": "--runs",
    "--out": "--runs",
}
ON_GPU = "only a torch module computes on a GPU: --model mine:Net --device cuda; layers use CPU cores"
ABSENT = {
    "--gpu": ON_GPU,
    "--cuda": ON_GPU,
    "--dropout": "there is none; leave it out",
    "--momentum": "the optimizer adam has its own; leave it out",
}


def understood(arguments: Sequence[str]) -> list[str]:
    """The command line in our own words. UserError for options that stand for what there is not."""
    words = list(arguments)
    if words[:1] == ["help"]:
        words = [*words[1:2], "--help"]
    said: dict[str, str] = {}
    if words and (ours := COMMANDS.get(words[0])):
        said[words[0]] = ours
        words[0] = ours
    if words and words[0] in SETTINGS:
        _understand_options(words, said)
    for theirs, ours in said.items():
        say(f"{theirs} is called {ours} here")
    return words


def _understand_options(words: list[str], said: dict[str, str]) -> None:
    """Put options into our words, and take note of those that were in others."""
    first = words.index("--") if words[0] == "submit" and "--" in words else 0
    for place, word in enumerate(words[first + 1 :], start=first + 1):
        option, equals, value = word.partition("=")
        if option in ABSENT:
            raise UserError(f"{option}: {ABSENT[option]}")
        if option in OPTIONS:
            said[option] = OPTIONS[option]
            words[place] = f"{OPTIONS[option]}{equals}{value}"
