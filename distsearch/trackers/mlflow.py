"""MLflow: a search is a run of an experiment, with parameters, metrics by round, and the model among its artifacts."""

import os
import re
import socket
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from distsearch.errors import SettingError
from distsearch.errors.importing import importing
from distsearch.search.tracking import SERVICES
from distsearch.text import expanded
from distsearch.trackers.base import FAILED, FINISHED, Description, Row, Tracker, without_password
from distsearch.trackers.sending import reason_of

EXPERIMENT = "distsearch"
PARENT = "mlflow.parentRunId"  # the tag
MOST_METRICS = 1000  # that MLflow takes at once
MOST_PARAMETERS = 100
LONGEST_PARAMETER = 500  # characters, in older servers
REACHED_SECONDS = 5.0
STATUS = {FINISHED: "FINISHED", FAILED: "FAILED"}
WHOSE = {"http": 80, "https": 443}  # ports
NOT_IN_NAMES = re.compile(r"[^\w/. :-]+")  # of metrics: MLflow refuses it


class MLflow(Tracker):
    """Sends a search to MLflow (`pip install "distsearch[mlflow]"`).

    place: the tracking URI, http://host:5000, or a folder; if empty, MLflow's own choice: MLFLOW_TRACKING_URI, for one.
    A user and a password belong into MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD. experiment: its name there.
    Within `mlflow.start_run()` of the same place, the search is a child of that run, in the same experiment unless one
    is given.
    """

    name = "mlflow"

    def __init__(self, place: str = "", experiment: str = "") -> None:
        super().__init__(_resolved(place))
        self.experiment = experiment or os.environ.get("MLFLOW_EXPERIMENT_NAME", "")
        self._run = ""
        self._parent: Any = None

    def ask(self) -> None:
        """SettingError if MLflow is not installed, its server does not answer, or it cannot use the URI."""
        with importing("mlflow", "mlflow needs", package="mlflow-skinny", extra="mlflow"):
            import mlflow  # noqa: F401
        self._parent = self._active()
        uri = self.place or os.environ.get("MLFLOW_TRACKING_URI", "")
        if urlsplit(uri).scheme in WHOSE:
            _reach(uri)
            return
        try:
            self._client().search_experiments(max_results=1)
        except Exception as error:  # noqa: BLE001  (MLflow's stores raise what they like)
            raise SettingError(
                f"mlflow cannot use {without_password(uri) or 'its own choice'} ({reason_of(error)}); "
                "expected a server such as mlflow:http://host:5000, or a folder such as mlflow:mlruns"
            ) from None

    def begin(self, search: Description, identity: str | None) -> str:
        """A new run with parameters, tags and files; or the known one, running again."""
        self._api = self._client()
        if identity is not None and self._goes_on(identity):
            self._run = identity
            return identity
        from mlflow.entities import Param

        tags = dict(search.facts)
        if self._parent is not None:
            tags[PARENT] = self._parent.info.run_id
        run = self._api.create_run(self._experiment(), tags=tags, run_name=search.name)
        self._run = run.info.run_id
        parameters = [Param(name, text[:LONGEST_PARAMETER]) for name, text in search.settings.items()]
        for start in range(0, len(parameters), MOST_PARAMETERS):
            self._api.log_batch(self._run, params=parameters[start : start + MOST_PARAMETERS])
        self._keep(search.files)
        return self._run

    def log(self, rows: Sequence[Row]) -> None:
        """Every number of each round as a metric."""
        from mlflow.entities import Metric

        metrics = [
            Metric(_allowed(name), value, int(row.time * 1000), row.round)
            for row in rows
            for name, value in row.values.items()
        ]
        for start in range(0, len(metrics), MOST_METRICS):
            self._api.log_batch(self._run, metrics=metrics[start : start + MOST_METRICS])

    def finish(self, how: str, figures: Mapping[str, float], files: Mapping[str, bytes]) -> None:
        """The result's figures as metrics, how it ended as status, and at last the model, which may be large."""
        for name, value in figures.items():
            self._api.log_metric(self._run, _allowed(name), value)
        self._api.set_terminated(self._run, STATUS.get(how, "KILLED"))
        self._keep(files)

    def _experiment(self) -> str:
        """The identity of the experiment, which is created if it is not there yet."""
        if self._parent is not None and not self.experiment:
            return str(self._parent.info.experiment_id)
        name = self.experiment or EXPERIMENT
        found = self._api.get_experiment_by_name(name)
        return str(found.experiment_id if found else self._api.create_experiment(name))

    def _active(self) -> Any:
        """The run of the same place that this thread has started with MLflow's own functions; None if there is none."""
        mlflow = sys.modules.get("mlflow")  # who has started one has imported it
        if mlflow is None or (self.place and _resolved(mlflow.get_tracking_uri()) != self.place):
            return None
        return mlflow.active_run()

    def _client(self) -> Any:
        from mlflow.tracking import MlflowClient

        if urlsplit(self.place).scheme == "file" or os.path.isabs(self.place):
            # MLflow refuses to write to folders unless it is asked to: by naming one, it is.
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        return MlflowClient(tracking_uri=self.place or None)

    def _goes_on(self, identity: str) -> bool:
        """Set the run of this identity to running; False if there is none any more."""
        from mlflow.exceptions import MlflowException

        try:
            if self._api.get_run(identity).info.lifecycle_stage != "active":
                return False
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return False
            raise
        self._api.update_run(identity, status="RUNNING")
        return True

    def _keep(self, files: Mapping[str, bytes]) -> None:
        with tempfile.TemporaryDirectory(prefix="distsearch-") as folder:
            for name, content in files.items():
                path = Path(folder) / name
                path.write_bytes(content)
                self._api.log_artifact(self._run, str(path))


def _allowed(name: str) -> str:
    """A metric's name as MLflow takes it: gap(sex) as gap-sex."""
    return NOT_IN_NAMES.sub("-", name).strip("-/")


def _resolved(place: str) -> str:
    """The URI, or the absolute path of a folder."""
    is_folder = place and not urlsplit(place).scheme and place not in SERVICES
    return str(Path(expanded(place)).absolute()) if is_folder else place


def _reach(uri: str) -> None:
    """SettingError if no one listens there. MLflow's own client would try for minutes."""
    parts = urlsplit(uri)
    try:
        port = parts.port or WHOSE[parts.scheme]
        socket.create_connection((parts.hostname or "", port), timeout=REACHED_SECONDS).close()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SettingError(f"mlflow cannot reach {without_password(uri)} ({reason}): start the server first") from None
