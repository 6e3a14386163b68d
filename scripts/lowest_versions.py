"""The lowest versions that pyproject.toml allows: `name==version`, a line each, as constraints for pip and uv.

They are those of the build, of the project and of one of its extras. What these packages require in turn is left to the
installer: if the newest of that does not go with the lowest of ours, then the bound of ours is too low.
"""

import argparse
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"
STARTS = (">=", "==", "~=")  # operators whose version is the lowest of their range


def lowest_versions(pyproject: dict[str, Any], extra: str, python: str) -> dict[str, Version]:
    """The lowest version of each package, by name. Raises ValueError if a requirement does not give one."""
    lowest: dict[str, Version] = {}
    for requirement in requirements(pyproject, extra):
        if requirement.marker is None or requirement.marker.evaluate({"python_version": python}):
            name, version = canonicalize_name(requirement.name), lower_bound(requirement)
            lowest[name] = max(version, lowest.get(name, version))
    return lowest


def requirements(pyproject: dict[str, Any], extra: str) -> Iterator[Requirement]:
    """What the build, the project and the extra require, with the extras of the project that this one names."""
    project = pyproject["project"]
    yield from map(Requirement, pyproject["build-system"]["requires"] + project["dependencies"])
    extras = [extra]
    for each in extras:  # grows during the loop
        for requirement in map(Requirement, project["optional-dependencies"][each]):
            if canonicalize_name(requirement.name) == canonicalize_name(project["name"]):
                extras += requirement.extras - set(extras)
            else:
                yield requirement


def lower_bound(requirement: Requirement) -> Version:
    """The lowest version of the range. Raises ValueError if there is none, or if the range excludes it."""
    texts = [each.version for each in requirement.specifier if each.operator in STARTS]
    bounds = [Version(text) for text in texts if not text.endswith("*")]
    if not bounds or not requirement.specifier.contains(max(bounds), prereleases=True):
        raise ValueError(f"expected a lowest version, as in {requirement.name}>=1.2, got {requirement}")
    return max(bounds)


def main() -> None:
    parser = argparse.ArgumentParser(prog="lowest_versions.py", description=__doc__.partition("\n")[0])
    parser.add_argument("extra", help="of the project, such as test")
    parser.add_argument("python", help="for which they are, such as 3.11")
    arguments = parser.parse_args()
    pyproject = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))
    try:
        lowest = lowest_versions(pyproject, arguments.extra, arguments.python)
    except ValueError as error:
        raise SystemExit(f"distsearch: pyproject.toml: {error}") from error
    for name, version in sorted(lowest.items()):
        print(f"{name}=={version}")


if __name__ == "__main__":
    main()
