"""Weights & Biases: a search is a run of a project, with its settings, a history by round and the model as artifact."""

import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from distsearch.errors import SettingError
from distsearch.errors.importing import importing
from distsearch.trackers.base import FAILED, Description, Row, Tracker

PROJECT = "distsearch"
OFFLINE = ("offline", "dryrun", "disabled")


class WandB(Tracker):
    """Sends a search to Weights & Biases (`pip install "distsearch[wandb]"`).

    place: the project, or entity/project; if empty, WANDB_PROJECT, or `distsearch`. With WANDB_MODE=offline it writes
    to the folder `wandb`, for `wandb sync`; else `wandb login` comes first.
    """

    name = "wandb"

    def __init__(self, place: str = "") -> None:
        super().__init__(place)
        entity, _, project = place.rpartition("/")
        self.entity = entity or None
        self.project = project or os.environ.get("WANDB_PROJECT", PROJECT)
        self._run: Any = None

    def ask(self) -> None:
        """SettingError if wandb is not installed, or if nobody is logged in and it is not offline."""
        with importing("wandb", "wandb needs", extra="wandb"):
            import wandb
        if wandb.setup().settings.mode in OFFLINE or _logged_in(wandb):
            return
        raise SettingError("wandb: not logged in: type `wandb login`, or set WANDB_MODE=offline to sync later")

    def begin(self, search: Description, identity: str | None) -> str:
        """A new run with the settings; or the known one again."""
        import wandb

        if identity is not None:
            _await_new_folder(wandb, identity)
        quiet = wandb.Settings(silent=True, console="off", disable_git=True, disable_code=True)
        self._run = wandb.init(
            entity=self.entity,
            project=self.project,
            id=identity,
            name=search.name,
            config={**search.settings, **search.facts},
            resume="allow",
            reinit="create_new",  # a run of the user's own goes on beside it
            settings=quiet,
        )
        if identity is None:
            self._keep("run", search.files)
        return str(self._run.id)

    def log(self, rows: Sequence[Row]) -> None:
        """The numbers of each round, at its step."""
        for row in rows:
            self._run.log(row.values, step=row.round)

    def finish(self, how: str, figures: Mapping[str, float], files: Mapping[str, bytes]) -> None:
        """The result's figures as summary, and the model as artifact."""
        self._run.summary.update({**figures, "ended": how})
        self._keep("model", files)
        self._run.finish(exit_code=int(how == FAILED))

    def _keep(self, kind: str, files: Mapping[str, bytes]) -> None:
        """Files as an artifact of the run's."""
        import wandb

        if not files:
            return
        artifact = wandb.Artifact(f"{kind}-{self._run.id}", kind)
        with tempfile.TemporaryDirectory(prefix="distsearch-") as folder:
            for name, content in files.items():
                path = Path(folder) / name
                path.write_bytes(content)
                artifact.add_file(str(path))  # copied
            self._run.log_artifact(artifact)


def _await_new_folder(wandb: Any, identity: str) -> None:
    """Wait while a folder of the same run and second exists: wandb would write over what is in it."""
    parent = Path(wandb.setup().settings.wandb_dir)
    while list(parent.glob(f"*run-{time.strftime('%Y%m%d_%H%M%S')}-{identity}")):
        time.sleep(0.1)


def _logged_in(wandb: Any) -> bool:
    """Whether there are credentials, without asking for them on a terminal."""
    try:
        return bool(wandb.login(prompt=False))
    except TypeError:  # before 0.22
        return bool(wandb.api.api_key)
