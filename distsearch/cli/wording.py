"""Sentences in the words of the command line: settings by their flags, or as the file of --config has them."""

from collections.abc import Sequence

from distsearch.cli.aliases import OPTIONS
from distsearch.config.wording import reworded


def in_flags(sentence: str, arguments: Sequence[str]) -> str:
    """The sentence with `--rounds` for stop.rounds; with --config only for what the command line itself gives."""
    options = {word.partition("=")[0] for word in arguments}
    given = {OPTIONS.get(option, option) for option in options}

    def flag(name: str) -> str | None:
        typed = {f"--{name}", f"--no-{name}"} & given
        return f"--{name}" if typed or "--config" not in given else None

    return reworded(sentence, flag)
