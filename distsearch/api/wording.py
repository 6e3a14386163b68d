"""The library names settings as the command line does; here its sentences are put into the words of Python."""

import re
import shlex
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from distsearch.config.wording import keywords, reworded
from distsearch.errors import DistsearchError, ObjectiveError, SettingError
from distsearch.settings import AUTO, unknown_setting

ARGUMENTS = ("callbacks", "sample_weight", "vectorized")
"""Arguments beside the settings that can be misspelt."""
_SHOWN = "callbacks=[distsearch.callbacks.Progress()] shows how far it is"
_VALIDATED = "scikit-learn's cross_val_score takes a distsearch.SearchClassifier"
ABSENT = {
    **dict.fromkeys(("verbose", "verbosity", "progress", "show_progress", "progress_bar", "disp"), _SHOWN),
    **dict.fromkeys(("cv", "kfold", "n_splits", "folds"), _VALIDATED),
    "args": "bind them with functools.partial",
    "callback": "here it is called 'callbacks'",
}
"""What to do in Python instead of giving an argument that there is not."""

# A flag, and a value after it if that looks like one: a number, a choice, or the name of a strategy or a loss.
_CHOICES = "yes|no|auto|cpu|cuda|days|parts|drop|impute"
_FLAG = re.compile(
    rf"(?<![\w/.-])--(?P<flag>[a-z]+(?:-[a-z]+)*)(?: (?P<value>\d+|[a-z]+(?:-[a-z]+)+|snes|{_CHOICES})\b)?"
)
# A flag with a name as a shell takes it, see `raw.flag`.
_COLUMN = re.compile(r"""with --(?P<flag>drop|id) (?P<columns>(?:'[^']*'|"[^"]*"|[^\s,;'"\\])+)""")


def in_python(sentence: str) -> str:
    """The sentence with settings as keyword arguments: `scale="yes"` for --scale yes, `sigma` for --sigma."""
    known = {setting.flag: setting for setting in keywords().values()}

    def keyword(flag: str) -> str:
        return known[flag].keyword if flag in known else flag.replace("-", "_")

    def argument(found: re.Match[str]) -> str:
        name, value = keyword(found["flag"]), found["value"]
        if value is not None:
            return f"{name}={value}" if value.isdecimal() else f'{name}="{value}"'
        switch = found["flag"] in known and known[found["flag"]].type is bool
        return f"{name}=True" if switch else name

    def columns(found: re.Match[str]) -> str:
        from distsearch.data.readers.columns import split_names

        names = split_names(shlex.split(found["columns"])[0])
        return f"with {found['flag']}={names if found['flag'] == 'drop' else repr(*names)}"

    return reworded(_FLAG.sub(argument, _COLUMN.sub(columns, sentence)), keyword)


def check_names(names: Iterable[str], strategy: str) -> None:
    """Raise SettingError for a keyword that is no setting of the search or of its strategy, and say whose it is."""
    from distsearch.strategies import STRATEGIES, find, owners

    chosen = STRATEGIES.named(strategy)
    if ":" in chosen:  # a strategy of the user's own, which checks its settings itself
        return
    if chosen != AUTO:
        find(chosen)
    declared, having = keywords(), owners()
    known = {*declared, *(setting.flag.replace("-", "_") for setting in declared.values())}
    known.update(name for name, theirs in having.items() if chosen in (AUTO, *theirs))
    for name in (name.replace("-", "_") for name in names):
        if name in ABSENT:
            raise SettingError(f"unknown setting {name!r}: {ABSENT[name]}")
        if name not in known:
            raise unknown_setting(name, [*declared, *having, *ARGUMENTS], "", chosen, having)


@contextmanager
def speaking_python() -> Iterator[None]:
    """While entered, errors speak of keyword arguments; what code of the user's has raised stays as it is."""
    try:
        yield
    except DistsearchError as error:
        ours, raised, theirs = str(error), "", ""
        if isinstance(error, ObjectiveError):
            ours, raised, theirs = ours.partition(" raised ")
        error.args = (f"{in_python(ours)}{raised}{theirs}",)
        raise
