"""A search in a process of its own, which is killed if it does not end by itself."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any


class FailedError(Exception):
    """A search has failed, with the sentence that says why."""


def answer(module: str, order: dict[str, Any], seconds: float, environment: dict[str, str]) -> dict[str, Any]:
    """The answer of a module of this folder to an order, within that many seconds. Raises FailedError.

    The module is run with the order as JSON and the file to write its answer to, as JSON, as its arguments.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "answer.json"
        command = [sys.executable, "-P", "-m", module, json.dumps(order), str(file)]
        variables = {**os.environ, **environment, "PYTHONPATH": _with_this_folder()}
        with (Path(folder) / "errors").open("w+") as errors:
            process = subprocess.Popen(command, env=variables, stdout=errors, stderr=errors, start_new_session=True)
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                raise FailedError(f"did not end within {seconds:g} s") from None
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
            if not file.exists():
                errors.seek(0)
                lines = [line for line in errors.read().splitlines() if line.strip()]
                raise FailedError(lines[-1].rpartition("Error: ")[2] if lines else f"exit code {process.returncode}")
        return json.loads(file.read_text(encoding="utf-8"))


def _with_this_folder() -> str:
    others = os.environ.get("PYTHONPATH", "")
    return os.pathsep.join([str(Path(__file__).parent), *([others] if others else [])])
