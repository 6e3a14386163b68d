"""Parses the command line after `submit` as the cluster will, so that errors come before the job."""

import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from distsearch import config, strategies
from distsearch.cli.options import given_settings
from distsearch.config import toml
from distsearch.errors import UserError
from distsearch.jobs.parcel import Files, data_files, extras_for, job_path
from distsearch.jobs.submission import Submission
from distsearch.networks.initial import is_start
from distsearch.objectives.losses.terms import is_json
from distsearch.runs import names
from distsearch.settings import AUTO
from distsearch.text import as_path, words

COMMANDS = ("run", "resume")


def search_of(root: Any, arguments: Sequence[str], added: Sequence[Path], files: bool) -> Submission:
    """The search that a command line asks for. With `files`, its data and start are sent if on this machine.

    `root` is the program's root context. Raises what the command itself would for unknown options or invalid values.
    """
    name, values = _parse(root, arguments)
    extra = _together(*({job_path(str(path)): path} for path in added))
    if name == "resume":
        run, storage = values["run"], _storage(values.get("storage") or "")
        source, line = values.get("data", ""), list(arguments)
        track = [str(word) for word in words(values.get("track") or "")]
        extras = _extras(extras_for(source), track, run, storage)
        if source and files:
            source, sent = data_files(source)
            extra = _together(sent, extra)
            line = _replace_option(arguments, "--data", source)
        runs = _folder(values.get("runs", ""))
        return Submission(line, Path(run).name, runs, extra, extras=extras, moved=bool(source))
    flags = given_settings(values)
    file = Path(values["config_file"]) if "config_file" in values else None  # some versions of Typer leave it a string
    settings = config.from_flags(flags, toml.read_toml(file) if file else None)
    if settings.strategy.name != AUTO:
        strategies.settings_of(settings.strategy.name, settings.settings)
    source, data = data_files(settings.data.source, settings.data.reader) if files else (settings.data.source, {})
    run = settings.output.name or _generated_name(settings)
    names.check(run)
    line = _replace_option(arguments, "--name", run)
    if source != settings.data.source:
        line = _replace_option(line, "--data", source)
    needed, storage = extras_for(settings.data.source, settings.data.reader), _storage(settings.output.storage)
    extras = _extras(needed, settings.output.track, storage, model=settings.network.model)
    kept: Files = {}
    if file:
        kept = {f"settings/{file.name}": file}
        line = _replace_option(line, "--config", f"settings/{file.name}")
    for option, path in _named_files(settings).items() if files else ():
        kept = _together(kept, {job_path(str(path)): path})
        line = _replace_option(line, option, job_path(str(path)))
    sent = _together(data, _own_modules(settings), extra)
    _together(sent, kept)  # refuses what would lie in one place
    return Submission(line, run, _folder(flags.get("runs", "")), sent, kept, extras)


def _parse(root: Any, arguments: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """The command's name and the values given explicitly, without defaults from the local environment."""
    name, command, rest = root.command.resolve_command(root, list(arguments))
    if name not in COMMANDS:
        raise UserError(f"submit: expected run or resume, got {name}")
    with command.make_context(name, rest, parent=root) as context:
        given = {key for key in context.params if context.get_parameter_source(key).name == "COMMANDLINE"}
        return name, {key: context.params[key] for key in given}


def _replace_option(arguments: Sequence[str], option: str, value: str) -> list[str]:
    """The command line with this value for an option, replacing any other."""
    line: list[str] = []
    words = iter(arguments)
    for word in words:
        if word == option:
            next(words, None)
        elif not word.startswith(f"{option}="):
            line.append(word)
    return [*line, option, value]


def _together(*parts: Files) -> Files:
    """All of these files. UserError for two that would have the same path in the job."""
    found: dict[str, Path] = {}
    for name, path in (each for part in parts for each in part.items()):
        if found.setdefault(name, path).absolute() != path.absolute():
            raise UserError(f"{found[name]} and {path} would both be {name} in the job: rename one of them")
    return found


def _named_files(settings: config.RunConfig) -> dict[str, Path]:
    """The local files beside the data that options name, by the options."""
    start, costs = settings.network.start or "", settings.network.costs or ""
    named = {"--start": "" if is_start(start) else start, "--costs": "" if is_json(costs) else costs}
    return {option: as_path(path) for option, path in named.items() if path and os.path.isfile(as_path(path))}


def _own_modules(settings: config.RunConfig) -> Files:
    """The local files of modules and packages that settings name as `module:attribute`, which the cluster lacks."""
    from distsearch.search.foreign_code import modules

    found: dict[str, Path] = {}
    for name in {module.partition(".")[0] for module in modules(settings)}:
        path = Path(f"{name}.py")
        if name.isidentifier() and path.is_file():
            found[str(path)] = path
        elif name.isidentifier() and Path(name).is_dir():
            found |= {each.as_posix(): each for each in sorted(Path(name).rglob("*.py"))}
    return found


def _storage(given: str) -> str:
    """Where a run is published, as given. UserError for a folder in the job's own, which is deleted with the job."""
    if given and "://" not in given and not given.startswith(("/", "~")):
        raise UserError(f"--storage: expected a URI, or a folder on the cluster such as /results, got {given!r}")
    return given


def _extras(needed: str, track: Sequence[str], *places: str, model: str = "") -> str:
    """The distsearch extras needed by data, by trackers, by places where runs are published, and by a module.

    Raises UserError for a tracker that would write to the job's own folder, which is deleted with the job.
    """
    from distsearch.search.tracking import TRACKERS, folder_of, names_of

    for word in track:
        if (folder := folder_of(word)) and not folder.startswith(("/", "~")):
            raise UserError(
                f"--track: expected a server, or a folder on the cluster such as tensorboard:/results, got {word!r}"
            )
    stored = "storage" if any("://" in place for place in places) else ""
    trackers = [name for name in names_of(track) if name in TRACKERS.own]
    return ",".join(filter(None, [needed, stored, "torch" if model else "", *trackers]))


def _generated_name(settings: config.RunConfig) -> str:
    """A unique name for the run, as one made up on the cluster would be unknown here."""
    return f"{names.stem(settings.data.source, settings.strategy.name)}-{secrets.token_hex(3)}"


def _folder(runs: str) -> str:
    """A folder on the cluster, as given. Raises UserError if it would be within the job's own, deleted with the job."""
    if runs and not runs.startswith(("/", "~")):
        raise UserError(f"--runs: expected a folder on the cluster, such as /results or ~/runs, got {runs!r}")
    return runs
