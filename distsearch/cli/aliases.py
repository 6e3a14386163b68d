"""Commands and options as other programs call them, understood as our own."""

from collections.abc import Sequence

from distsearch.cli.output import say
from distsearch.errors import UserError
from distsearch.errors.elsewhere import ABSENT, CALLED

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


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


OPTIONS = {_option(theirs): _option(ours) for theirs, ours in CALLED.items()}
OPTIONS |= dict.fromkeys(("--cv", "--kfold", "--n-splits"), "--folds")
WITHOUT = {_option(theirs): instead for theirs, instead in ABSENT.items()}


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
        if (option not in WITHOUT and option not in OPTIONS) or _is_own(option, words):
            continue
        if instead := WITHOUT.get(option):
            raise UserError(f"{option}: {instead}")
        said[option] = OPTIONS[option]
        words[place] = f"{OPTIONS[option]}{equals}{value}"


def _is_own(option: str, words: Sequence[str]) -> bool:
    """Whether the strategy that the words name is the user's own, and has a setting of that name."""
    from distsearch.cli.options import names_of, strategy_in

    return option.removeprefix("--").replace("-", "_") in names_of(strategy_in(words))
