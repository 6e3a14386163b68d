"""What --help prints, in a terminal of some width."""

import pytest
import typer

from distsearch.cli.app import application
from distsearch.cli.options import ESSENTIAL


def helped(*arguments: str) -> list[str]:
    """The lines of a command's help."""
    program = typer.main.get_command(application(arguments))
    context = program.make_context("distsearch", [*arguments, "--help"], resilient_parsing=True)
    if not arguments:
        return program.get_help(context).splitlines()
    command = program.commands[arguments[0]]
    return command.get_help(command.make_context(arguments[0], [], context, resilient_parsing=True)).splitlines()


COMMANDS = [command.name for command in application([]).registered_commands if not command.hidden]


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_the_help_of_every_command_fits_one_screen(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = helped(*filter(None, [command]))
    assert len(lines) <= 30
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith("Usage: distsearch")


@pytest.mark.parametrize("columns", ["1", "40"])
def test_the_help_keeps_its_words_whole_in_a_narrow_terminal(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    lines = helped("run")
    assert max(map(len, lines)) <= 40
    assert [line.split()[0] for line in lines if line.startswith("--")][:20] == [f"--{flag}" for flag in ESSENTIAL]
    assert "mean-squared-error, …" in "\n".join(lines)


def test_the_help_of_a_search_has_the_twenty_settings_that_matter_and_says_where_the_rest_is(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    text = "\n".join(helped("run"))
    shown = [flag for flag in ESSENTIAL if f"--{flag} " in text]
    assert shown == list(ESSENTIAL)
    assert len(shown) == 20
    assert "--help-all  all settings in full" in text
    assert "--plateau-factor" not in text


SOME = ("plot", "export", "guide", "compare", "verify")


def test_the_help_names_values_defaults_and_what_is_required(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    texts = {command: " ".join(" ".join(helped(command)).split()) for command in SOME}
    assert "--what FIGURE What to show: loss, accuracy, " in texts["plot"]
    assert "or residuals. [default: loss]" in texts["plot"]
    assert "[default: runs; or the variable DISTSEARCH_RUNS]" in texts["plot"]
    assert "Usage: distsearch export [OPTIONS] RUN" in texts["export"]
    assert ".json or .safetensors. [required]" in texts["export"]
    assert "Usage: distsearch guide [OPTIONS] [TOPIC]" in texts["guide"]
    assert "--help, -h Show" in texts["guide"]
    assert "--workers N Ray workers; 0: in this process. [default: 0]" in texts["verify"]
    assert "--json Print JSON on stdout. --runs" in texts["verify"]
    assert "Usage: distsearch compare --strategies A,B,C [OPTIONS]" in texts["compare"]
