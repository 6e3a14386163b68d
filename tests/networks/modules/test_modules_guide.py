"""What the guide says of modules, run as it stands there."""

import json
import re
import shlex
from pathlib import Path

import pytest
from programs import succeeded

import distsearch

PAGE = (Path(distsearch.__file__).parent / "guide" / "modules.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.slow
def test_the_guide_s_module_learns_and_comes_out_again(tmp_path):
    (tmp_path / "mine.py").write_text(blocks("python")[0])
    (commands,) = blocks("sh")
    for line in commands.splitlines():
        words = shlex.split(line)[1:]
        succeeded(*words, *(["--workers", "0"] if words[0] == "run" else []), cwd=tmp_path)
    result = json.loads(succeeded("show", "choice", "--json", cwd=tmp_path).stdout)["result"]
    assert result["test_accuracy"] > 0.85
