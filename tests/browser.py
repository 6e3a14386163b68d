"""A headless browser."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest
from waiting import PATIENCE

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


class Seen(NamedTuple):
    """The document after its scripts have run, and what they wrote on the console."""

    document: str
    console: list[str]


def opened(page: Path, width: int, dark: bool = False) -> Seen:
    """Open a page, which reaches nothing outside it. Without a browser: fails in CI, is skipped elsewhere."""
    browser = next(filter(None, map(shutil.which, NAMES)), None)
    if browser is None:
        sentence = f"no browser to look at reports with: install one of {', '.join(NAMES)}"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(sentence)
    with tempfile.TemporaryDirectory() as profile:
        options = [
            *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-extensions"),
            *("--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={profile}", f"--window-size={width},1200"),
            *(f"--blink-settings=preferredColorScheme={0 if dark else 1}", "--enable-logging=stderr"),
            *("--virtual-time-budget=4000", "--dump-dom"),
        ]
        done = subprocess.run(
            [browser, *options, page.as_uri()],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
    assert done.returncode == 0, done.stderr
    return Seen(done.stdout, re.findall(r"^.*CONSOLE.*$", done.stderr, re.MULTILINE))
