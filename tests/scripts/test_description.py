"""The description of the package, which is the README where there is nothing beside it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from waiting import PATIENCE

ROOT = Path(__file__).parents[2]


def test_nothing_in_the_description_needs_the_repository():
    pytest.importorskip("hatch_fancy_pypi_readme")
    words = [sys.executable, "-m", "hatch_fancy_pypi_readme"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    assert [link for link in re.findall(r"\]\(([^)]*)\)", done.stdout) if not link.startswith("https://")] == []
    assert "<!--" not in done.stdout
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for kept in (r"^#.*", r"^\|.*\|$", r"^```(?:.|\n)*?^```$", r"\]\(https://[^)]*\)"):
        assert re.findall(kept, done.stdout, re.MULTILINE) == re.findall(kept, readme, re.MULTILINE)
