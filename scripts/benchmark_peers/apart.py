"""A search in a process of its own, which is killed if it does not end by itself, or once nobody waits for it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any


class FailedError(Exception):
    """A search has failed, with the sentence that says why."""


def answer(module: str, order: dict[str, Any], seconds: float, environment: dict[str, str]) -> dict[str, Any]:
    """The answer of a module of this folder to an order, within that many seconds. Raises FailedError.

    The module is run with the order as JSON and the file to write its answer to, as JSON, as its arguments; it has to
    call `end_with_parent` first.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "answer.json"
        command = [sys.executable, "-P", "-m", module, json.dumps(order), str(file)]
        variables = {**os.environ, **environment, "PYTHONPATH": _with_this_folder()}
        streams: dict[str, Any] = {"stdin": subprocess.PIPE, "start_new_session": True}
        with (
            (Path(folder) / "errors").open("w+") as errors,
            subprocess.Popen(command, env=variables, stdout=errors, stderr=errors, **streams) as process,
        ):
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                raise FailedError(f"did not end within {seconds:g} s") from None
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
            if not file.exists():
                errors.seek(0)
                lines = [line for line in errors.read().splitlines() if line.strip()]
                raise FailedError(lines[-1].rpartition("Error: ")[2] if lines else f"exit code {process.returncode}")
        return json.loads(file.read_text(encoding="utf-8"))


def end_when_interrupted() -> None:
    """Let Ctrl-C end this program at once, as SIGTERM does, even while threads wait for answers."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def end_with_parent(file: str) -> None:
    """In a process that `answer` has started: end it, with all it starts, once whoever waits for the file is gone.

    However the other ends, its pipe to our standard input is closed then. The file's folder is removed.
    """

    def wait() -> None:
        os.read(sys.stdin.fileno(), 1)
        shutil.rmtree(Path(file).parent, ignore_errors=True)
        os.killpg(0, signal.SIGKILL)

    if os.getsid(0) == os.getpid():  # not if it is run by hand
        threading.Thread(target=wait, daemon=True).start()


def _with_this_folder() -> str:
    others = os.environ.get("PYTHONPATH", "")
    return os.pathsep.join([str(Path(__file__).parent), *([others] if others else [])])
