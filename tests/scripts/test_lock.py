"""The locks in scripts/locks: they satisfy pyproject.toml, and a change to them is noticed."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

from lock_file import LOCKS, pins, versions

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
PLATFORMS = {"linux": ("x86_64", "aarch64"), "darwin": ("arm64",)}
ENVIRONMENTS = [
    {
        **default_environment(),
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "python_version": python,
        "python_full_version": f"{python}.5",
        "sys_platform": system,
        "platform_system": system.title(),
        "platform_machine": machine,
    }
    for python in ("3.11", "3.12", "3.13", "3.14")
    for system, machines in PLATFORMS.items()
    for machine in machines
]


def required(extra: str) -> Iterator[Requirement]:
    """The requirements of an extra by name, with those of the project; extras that name our extras are resolved."""
    for text in [*PROJECT["dependencies"], *PROJECT["optional-dependencies"][extra]]:
        requirement = Requirement(text)
        if requirement.name == PROJECT["name"]:
            for other in requirement.extras:
                yield from required(other)
        else:
            yield requirement


def unsatisfied(lock: str, requirements: list[Requirement]) -> set[str]:
    """The requirements that a lock does not satisfy in some environment; `./scripts/lock` fixes them."""
    found = set()
    for environment in ENVIRONMENTS:
        installed = versions(lock, environment)
        for requirement in requirements:
            version = installed.get(canonicalize_name(requirement.name))
            needed = not requirement.marker or requirement.marker.evaluate(environment)
            if needed and not (version and requirement.specifier.contains(version, prereleases=True)):
                found.add(f"{requirement}, but {lock}.txt has {version}")
    return found


@pytest.mark.parametrize("extra", ["all", "test"])
def test_a_lock_satisfies_pyproject_on_every_python_and_platform(extra):
    assert unsatisfied(extra, list(required(extra))) == set()


def test_the_build_lock_satisfies_pyproject():
    assert unsatisfied("build", [Requirement(text) for text in PYPROJECT["build-system"]["requires"]]) == set()


def test_the_tests_use_the_versions_of_a_run():
    for environment in ENVIRONMENTS:
        assert versions("all", environment).items() <= versions("test", environment).items()


def test_numpy_has_one_version_on_every_python():
    assert len({versions("all", environment)["numpy"] for environment in ENVIRONMENTS}) == 1


@pytest.mark.parametrize("name", ["all", "test", "build"])
def test_a_lock_pins_every_package_by_hash_and_names_no_other_source(name):
    text = (LOCKS / f"{name}.txt").read_text(encoding="utf-8")
    entries = re.split(r"\n(?=\S)", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).rstrip())
    pin = r"[a-z0-9._-]+==\S+( ; [^\\]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+"
    assert [entry for entry in entries if not re.fullmatch(pin, entry)] == []
    assert len(entries) == len(list(pins(name)))


def test_a_changed_lock_reinstalls_the_environment(tmp_path):
    scripts = tmp_path / "scripts"
    shutil.copytree(LOCKS, scripts / "locks")
    shutil.copy(ROOT / "scripts" / "environment.sh", scripts)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("python", "distsearch"):
        (programs / name).symlink_to(sys.executable)

    def is_ready(*before: str) -> bool:
        commands = "\n".join([f". {scripts}/environment.sh", *before, "if ready all; then echo ready; fi"])
        environment = {name: value for name, value in os.environ.items() if name not in ("PYTHON", "venv_name")}
        bash = ["bash", "-euo", "pipefail", "-c", commands]
        return subprocess.run(bash, env=environment, capture_output=True, text=True, check=True).stdout == "ready\n"

    assert not is_ready()
    assert is_ready("write_stamp all")
    with (scripts / "locks" / "all.txt").open("a", encoding="utf-8") as file:
        file.write("# another version\n")
    assert not is_ready()
    assert is_ready("write_stamp test")
    (scripts / "locks" / "all.txt").unlink()
    assert is_ready()  # the lock of the tests is the installed one
    (scripts / "locks" / "test.txt").unlink()
    assert not is_ready()
