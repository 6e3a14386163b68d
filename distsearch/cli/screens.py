"""The screens that --help prints: a line for each option or command, without boxes, so that one screen holds them."""

import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from typer.core import TyperCommand, TyperGroup

from distsearch.cli.output import new_console

if TYPE_CHECKING:
    from rich.table import Table

NARROWEST, WIDEST = 40, 100  # characters
ROOMY = 76  # characters from which headings stand beside the lines, and short lines beside each other
OTHER = {
    "strategies": "strategies, as A,B,C",
    "seeds": "searches for each [5]",
    "output": "CSV file to write",
    "report": "HTML file to write",
    "config_file": "TOML file to read",
    "chapter": "as the chapter has it",
    "story": "tell every revert",
    "verbose": "tell improvements",
    "quiet": "only warnings, errors",
    "live": "draw while learning",
    "json": "print JSON on stdout",
    "folds": "cross-validate",
    "help_all": "all settings in full",
    "version": "print the version",
    "install_completion": "complete with Tab",
    "help": "show this",
}
"""The options of a full screen, in the few words for which it has room beside the settings or commands."""


class Line(NamedTuple):
    """What the help says of an argument, an option or a command, and under which heading."""

    heading: str
    name: str
    text: str


class Command(TyperCommand):
    """A command whose help has a line for each argument and option."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help, in full."""
        shown = _shown(self, ctx)
        lines = [Line(_heading(each), _name(each), _text(each)) for each in shown]
        arguments = "".join(f" {_in_usage(each)}" for each in shown if _is_argument(each))
        _write(formatter, f"{ctx.command_path} [OPTIONS]{arguments}", self.help, _table(lines))


class BriefCommand(TyperCommand):
    """A command with an option for every setting, whose help has the essential ones and a few words on the others."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help: the essential settings, then the other options, two to a line."""
        shown = _shown(self, ctx)
        settings = [Line(each.rich_help_panel, each.opts[0], each.help) for each in shown if each.rich_help_panel]
        others = [each for each in shown if not each.rich_help_panel and each.name != "help"]
        required = "".join(f" {each.opts[0]} {each.metavar}" for each in others if each.required)
        _write(
            formatter,
            f"{ctx.command_path}{required} [OPTIONS]",
            self.help,
            _table(settings),
            _briefly(others, side_by_side=2),
        )


class Commands(TyperGroup):
    """The program, whose help lists its commands by what they are for."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help: a line for each command, with the first clause of what it does."""
        commands: list[Any] = [each for each in self.commands.values() if not each.hidden]
        lines = [Line(each.rich_help_panel, each.name, _first_clause(each.help)) for each in commands]
        options = [each for each in _shown(self, ctx) if each.name in OTHER]
        _write(formatter, f"{ctx.command_path} COMMAND [OPTIONS]", self.help, _table(lines), _briefly(options))


def _write(formatter: Any, usage: str, about: str | None, *tables: "Table") -> None:
    """Hand Typer the screen as text, with colours if a terminal reads it."""
    console = new_console()
    console.width = _width()
    with console.capture() as captured:
        console.print(f"Usage: {usage}", style="bold")
        for paragraph in (about or "").split("\n\n"):
            console.print(" ".join(paragraph.split()))
        console.print()
        for table in tables:
            console.print(table)
    formatter.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def _width() -> int:
    return min(max(shutil.get_terminal_size().columns, NARROWEST), WIDEST)


def _table(lines: Sequence[Line], side_by_side: int = 1) -> "Table":
    """Lines below each other, or some side by side, with each heading before the first of its lines."""
    from rich.table import Table

    roomy = _width() >= ROOMY
    beside = side_by_side if roomy else 1
    table = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    if roomy:
        table.add_column(style="bold", min_width=9)
    for _ in range(beside):
        table.add_column(style="cyan", no_wrap=True)
        table.add_column()
    before = ""
    for first in range(0, len(lines), beside):
        row = lines[first : first + beside]
        heading = "" if row[0].heading == before else row[0].heading
        cells = [cell for line in row for cell in (line.name, line.text)]
        table.add_row(*([heading] if roomy else []), *cells)
        before = row[0].heading
    return table


def _briefly(options: Sequence[Any], side_by_side: int = 1) -> "Table":
    """The options that have a few words each."""
    return _table([Line("Options", _flags(each)[0], OTHER[each.name]) for each in options], side_by_side)


def _shown(command: Any, ctx: Any) -> list[Any]:
    """The arguments and options that are not hidden."""
    return [each for each in command.get_params(ctx) if not each.hidden]


def _is_argument(parameter: Any) -> bool:
    return not parameter.opts[0].startswith("-")


def _heading(parameter: Any) -> str:
    return parameter.rich_help_panel or ("Arguments" if _is_argument(parameter) else "Options")


def _name(parameter: Any) -> str:
    """An option with its short form and what stands for its value, or an argument."""
    if _is_argument(parameter):
        return parameter.metavar
    flags = ", ".join(_flags(parameter))
    return f"{flags} {parameter.metavar}" if parameter.metavar else flags


def _in_usage(argument: Any) -> str:
    return argument.metavar if argument.required else f"[{argument.metavar}]"


def _flags(option: Any) -> list[str]:
    """An option's flags, its long one first; Typer keeps those of --help in no fixed order."""
    return sorted([*option.opts, *option.secondary_opts], key=lambda flag: not flag.startswith("--"))


def _text(parameter: Any) -> str:
    """What an argument or option is for, with its default, if that says something, and its environment variable."""
    notes = []
    shown = getattr(parameter, "show_default", False) and not isinstance(parameter.default, bool)
    if shown and parameter.default not in (None, ""):
        notes.append(f"default: {parameter.default}")
    if parameter.envvar:
        notes.append(f"or the variable {parameter.envvar}")
    if parameter.required and not _is_argument(parameter):
        notes.append("required")
    return " ".join([parameter.help or "", *([f"[{'; '.join(notes)}]"] if notes else [])])


def _first_clause(text: str | None) -> str:
    """What a command does, as far as the first colon, semicolon or full stop."""
    clause = (text or "").partition("\n\n")[0]
    for end in (":", ";", ". "):
        clause = clause.partition(end)[0]
    return " ".join(clause.split()).rstrip(".")
