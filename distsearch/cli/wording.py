"""Sentences in the words of the command line: settings by their flags, or as a file or a stored run has them."""

from collections.abc import Sequence

from distsearch.cli.aliases import OPTIONS, SETTINGS
from distsearch.config.wording import reworded


def in_flags(sentence: str, arguments: Sequence[str]) -> str:
    """The sentence with `--rounds` for stop.rounds, unless the setting can only be a file's, or a stored run's."""
    options = {word.partition("=")[0] for word in arguments}
    given = {OPTIONS.get(option, option) for option in options}
    from_file = not set(arguments) & set(SETTINGS) or "--config" in given

    def flag(name: str) -> str | None:
        typed = {f"--{name}", f"--no-{name}"} & given
        return f"--{name}" if typed or not from_file else None

    return reworded(sentence, flag)
