"""TensorBoard: a folder of event files, a scalar for every number of a round; the model lies beside them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from distsearch.errors import SettingError
from distsearch.errors.importing import importing
from distsearch.runs.files import write_whole
from distsearch.text import expanded
from distsearch.trackers.base import Description, Row, Tracker


class TensorBoard(Tracker):
    """Writes a search for TensorBoard (`pip install "distsearch[tensorboard]"`), which shows it from its folder.

    place: the folder in which each run gets one of its own name; `tensorboard` if empty.
    """

    name = "tensorboard"

    def __init__(self, place: str = "") -> None:
        super().__init__(str(Path(expanded(place or self.name)).absolute()))
        self._writer: Any = None
        self._rounds = 0

    def ask(self) -> None:
        """SettingError if tensorboardX is not installed, or if the folder is none or cannot be made."""
        with importing("tensorboardX", "tensorboard needs", extra="tensorboard"):
            import tensorboardX  # noqa: F401
        try:
            Path(self.place).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingError(f"tensorboard cannot write to the folder {self.place} ({error.strerror})") from None

    def begin(self, search: Description, identity: str | None) -> str:
        """A new folder of events, with a table of the settings; or further events in the known one."""
        from tensorboardX import SummaryWriter

        if identity is not None and Path(identity).is_dir():
            self._folder = Path(identity)
            number = len(list(self._folder.glob("events.*")))  # names have the second, and would be the same
            self._writer = SummaryWriter(identity, filename_suffix=f".{number}")
            return identity
        self._folder = _new_folder(Path(self.place), search.name)
        self._writer = SummaryWriter(str(self._folder))
        for title, table in (("settings", search.settings), ("facts", search.facts)):
            self._writer.add_text(title, _table(table))
        self._keep(search.files)
        return str(self._folder)

    def log(self, rows: Sequence[Row]) -> None:
        """A scalar for every number of each round."""
        for row in rows:
            for name, value in row.values.items():
                self._writer.add_scalar(name, value, row.round, walltime=row.time)
            self._rounds = row.round + 1
        self._writer.flush()

    def finish(self, how: str, figures: Mapping[str, float], files: Mapping[str, bytes]) -> None:
        """The result's figures as scalars and how it ended as a text; the model as a file."""
        for name, value in figures.items():
            self._writer.add_scalar(name.replace(".", "/"), value, self._rounds)
        self._writer.add_text("ended", how, self._rounds)
        self._writer.close()
        self._keep(files)

    def _keep(self, files: Mapping[str, bytes]) -> None:
        for name, content in files.items():
            write_whole(self._folder / name, content)


def _new_folder(parent: Path, name: str) -> Path:
    """Make a folder of this name or, if there is one, of the name with a number."""
    number = 1
    while True:
        folder = parent / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            number += 1
        else:
            return folder


def _table(values: Mapping[str, str]) -> str:
    """A Markdown table of names and texts."""
    rows = [f"| {name} | {text.replace('|', '¦')} |" for name, text in values.items()]
    return "\n".join(["| name | value |", "|---|---|", *rows])
