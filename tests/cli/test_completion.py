"""What a shell offers at Tab."""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from programs import ENVIRONMENT, ran, succeeded
from waiting import PATIENCE


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("completion")
    (path / "price.csv").write_text("a,b,price\n" + "".join(f"{x % 5},{x % 7},{x % 5}\n" for x in range(40)))
    for name, data in (("one", "iris"), ("price", "price.csv")):
        succeeded(*("run", "--workers", "0", "--rounds", "2", "-q"), "--data", data, "--name", name, cwd=path)
    return path


def completions(line: str, cwd) -> list[str]:
    count = len(line.split()) - (not line.endswith(" "))
    variables = {"_DISTSEARCH_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(count)}
    return ran(cwd=cwd, variables=variables).stdout.split()


def test_a_shell_completes_runs_strategies_and_columns(folder):
    assert completions("distsearch show ", folder) == ["one", "price"]
    assert completions("distsearch run --strategy h", folder) == ["hill-climb"]
    assert completions("distsearch run --data price.csv --target ", folder) == ["a", "b", "price"]
    assert completions("distsearch run --data price.csv --drop a,", folder) == ["a,a", "a,b", "a,price"]
    assert completions("distsearch guide see", folder) == ["see"]
    assert "--plateau-factor" in completions("distsearch run --plat", folder)


ZSH = shutil.which("zsh") or ""
FIRST_TAB = """
compdef() { : }
_arguments() { print -r -- "$@" }
fpath=($HOME/.zfunc $fpath); autoload -Uz _distsearch
words=(distsearch show pr); CURRENT=3
_distsearch
"""


@pytest.mark.skipif(not ZSH, reason="zsh is not installed")
def test_zsh_completes_at_the_first_tab(folder, tmp_path):
    program = tmp_path / "distsearch"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m distsearch "$@"\n')
    program.chmod(0o755)
    environment = {**ENVIRONMENT, "HOME": str(tmp_path), "PATH": f"{tmp_path}:{ENVIRONMENT['PATH']}"}

    def zsh(script: str) -> str:
        shell = subprocess.run(
            [ZSH, "-f", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE
        )
        return shell.stdout

    assert "zsh completion installed" in zsh("distsearch --install-completion; true")
    assert "price" in zsh(FIRST_TAB)
