"""RunConfig: all that a run is told, frozen, checked once, with defaults; from and to TOML."""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from distsearch.errors import SettingError, brief, unknown
from distsearch.settings import Declared, Settings, about, checked, declared

DEFAULT_ROUNDS = 1000
MOST_BYTES = 1_000_000  # of a configuration

Value = bool | int | float | str | list[int] | None


class DataConfig(Settings, frozen=True):
    """What is learnt from."""

    source: Annotated[
        str,
        about(
            "vertical or spiral (built in); digits, iris, wine or breast-cancer (with scikit-learn); "
            "or a CSV, Parquet, NPZ or IDX file, or a folder of IDX files",
            flag="data",
            path=True,
        ),
    ] = "vertical"
    reader: Annotated[
        str, about("reader of the file: csv, tsv, parquet, npz or idx, or one of your own; by the file's name if empty")
    ] = ""
    target: Annotated[str, about("target column of a table; its last column if empty")] = ""
    scale: Annotated[bool, about("standardise the features by their training mean and deviation")] = False
    test_share: Annotated[float, about("share of the examples set aside for testing", at_least=0, below=1)] = 0.0
    batch: (
        Annotated[int, about("examples a round sees; if not set, what the strategy prefers, mostly all", at_least=1)]
        | None
    ) = None
    points: Annotated[int, about("vertical, spiral: points a class", unit="examples", at_least=2)] = 100
    classes: Annotated[int, about("vertical, spiral: classes", at_least=2)] = 3
    seed: Annotated[int, about("seed of the built-in data and of the split", flag="data-seed", at_least=0)] = 0


class NetworkConfig(Settings, frozen=True):
    """The network that is trained."""

    layers: Annotated[tuple[Annotated[int, Meta(ge=1)], ...], about("widths of the hidden layers", unit="neurons")] = (
        3,
    )
    activation: Annotated[str, about("hidden activation: relu, tanh, sigmoid or step")] = "relu"
    start: Annotated[str, about("first weights: course (0.01 × normal), he or glorot")] = "course"
    loss: Annotated[
        str,
        about("cross-entropy, mean-squared-error, mean-absolute-error or classification-error"),
    ] = "cross-entropy"


class StrategyConfig(Settings, frozen=True):
    """How the weights are looked for."""

    name: Annotated[str, about("auto chooses; `distsearch strategies` lists all", flag="strategy")] = "hill-climb"
    seed: Annotated[int, about("seed of every random number of the search", at_least=0)] = 0


class StopConfig(Settings, frozen=True):
    """When the search ends: at the first of these."""

    rounds: Annotated[int, about(f"{DEFAULT_ROUNDS} if no other limit is set", unit="rounds", at_least=1)] | None = None
    seconds: Annotated[float, about("time since the first round began", unit="seconds", above=0)] | None = None
    target_loss: Annotated[float, about("best loss at or below this")] | None = None
    target_accuracy: (
        Annotated[float, about("accuracy at or above this, on the test split if there is one", above=0, at_most=1)]
        | None
    ) = None
    patience: (
        Annotated[
            int,
            about(
                "rounds in which the best loss has not fallen by a thousandth; "
                "with --batch, and for node-perturbation, measurements",
                unit="rounds",
                at_least=1,
            ),
        ]
        | None
    ) = None


class WorkersConfig(Settings, frozen=True):
    """Who tries the candidates."""

    count: (
        Annotated[
            int,
            about(
                "Ray workers, a core each; all cores if not set; 0: in this process, without Ray",
                flag="workers",
                at_least=0,
            ),
        ]
        | None
    ) = None


class OutputConfig(Settings, frozen=True):
    """What is kept."""

    name: Annotated[str, about("name of the run; made up if empty")] = ""
    directory: Annotated[str, about("folder that holds the runs", flag="runs", path=True)] = "runs"
    storage: Annotated[
        str,
        about(
            "folder or URI (s3://bucket/prefix, gs://…) to which checkpoints and results are published as well",
            path=True,
        ),
    ] = ""
    measure_every: (
        Annotated[
            int,
            about(
                "accuracy is measured every so many rounds, with --batch the loss on all examples as well; if not set, "
                "every 10 (every 50 if they are very short), or with --batch so seldom that it takes 5% of the time",
                unit="rounds",
                at_least=1,
            ),
        ]
        | None
    ) = None
    measure_first: (
        Annotated[
            int,
            about(
                "with --batch, round of the first measurement after that of round 1; the next is at twice as many, "
                "and so on up to measure-every; if not set, chosen together with that",
                unit="rounds",
                at_least=1,
            ),
        ]
        | None
    ) = None


class RunConfig(Settings, frozen=True):
    """All that a run is told. `settings` are the strategy's own, by name; it checks them itself."""

    data: DataConfig = DataConfig()
    network: NetworkConfig = NetworkConfig()
    strategy: StrategyConfig = StrategyConfig()
    settings: dict[str, Any] = {}  # noqa: RUF012  (msgspec copies an empty default)
    stop: StopConfig = StopConfig()
    workers: WorkersConfig = WorkersConfig()
    output: OutputConfig = OutputConfig()


SECTIONS: dict[str, type[Settings]] = {
    "data": DataConfig,
    "network": NetworkConfig,
    "strategy": StrategyConfig,
    "stop": StopConfig,
    "workers": WorkersConfig,
    "output": OutputConfig,
}


def options() -> Iterator[tuple[str, Declared]]:
    """(section, setting) for every setting that has a flag of its own, strategies' settings apart."""
    for section, group in SECTIONS.items():
        for setting in declared(group):
            yield section, setting


def from_sections(sections: Mapping[str, Any]) -> RunConfig:
    """The configuration made of nested mappings, as TOML gives them. SettingError names what does not fit."""
    known = [*SECTIONS, "settings"]
    groups: dict[str, Any] = {}
    for section, values in sections.items():
        if section not in known:
            raise SettingError(unknown("section", section, known))
        if not isinstance(values, Mapping):
            raise SettingError(f"{section}: expected a section [{section}], got the value {brief(values)}")
        groups[section] = checked(SECTIONS[section], values, section) if section in SECTIONS else dict(values)
    return RunConfig(**groups)


def from_flags(flags: Mapping[str, Value], base: Mapping[str, Any] | None = None) -> RunConfig:
    """The configuration made of flag names (`data_seed` or `data-seed`) over the sections of `base`.

    A flag that no section declares is taken for a setting of the strategy.
    """
    sections = {name: dict(values) if isinstance(values, Mapping) else values for name, values in (base or {}).items()}
    places = {setting.flag: (section, setting.name) for section, setting in options()}
    for flag, value in flags.items():
        section, name = places.get(flag.replace("_", "-"), ("settings", flag.replace("-", "_")))
        sections.setdefault(section, {})[name] = value
    return from_sections(sections)


def read_toml(path: Path) -> dict[str, Any]:
    """The sections of a TOML file; SettingError with the line if it is not TOML."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise SettingError(f"{path} is not a configuration: expected at most {MOST_BYTES // 10**6} MB, got more")
        return tomllib.loads(content.decode("utf-8-sig"))
    except OSError as error:
        raise SettingError(f"cannot read the configuration {path}: {error.strerror}") from None
    except RecursionError:
        raise SettingError(f"{path} is not a configuration: its brackets are nested too deeply") from None
    except ValueError as error:  # also of a whole number with thousands of digits
        raise SettingError(f"{path} is not TOML: {error}") from None


def to_toml(config: RunConfig, strategy_settings: Settings | None) -> str:
    """The configuration as commented TOML that `from_sections` reads back to the same; unset settings as comments.

    Without the checked settings of a strategy, which is then still to be chosen, those that are given stand there.
    """
    lines: list[str] = []
    for section in SECTIONS:
        lines += _section(section, getattr(config, section))
        if section == "strategy":
            lines += _own_section(config, strategy_settings)
    return "\n".join(lines)


def _own_section(config: RunConfig, settings: Settings | None) -> list[str]:
    if settings is not None:
        return _section("settings", settings, f"The settings of {config.strategy.name}.")
    given = [f"{name} = {_toml_value(value)}" for name, value in config.settings.items()]
    return ["# The settings of the strategy that will be chosen.", "[settings]", *given, ""]


def _section(name: str, group: Settings, text: str | None = None) -> list[str]:
    lines = [f"# {text or type(group).__doc__}", f"[{name}]"]
    for setting in declared(type(group)):
        value = getattr(group, setting.name)
        unit = f" [{setting.unit}]" if setting.unit else ""
        lines.append(f"# {setting.text}{unit}")
        lines.append(f"# {setting.name} =" if value is None else f"{setting.name} = {_toml_value(value)}")
    return [*lines, ""]


def _toml_value(value: Value) -> str:
    """A TOML value: as JSON writes booleans, numbers, texts and lists of them, but that TOML escapes DEL as well."""
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")
