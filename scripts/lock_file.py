"""The pins of a lock file in scripts/locks, as parsed by `packaging`."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCKS = Path(__file__).parent / "locks"


def pins(name: str) -> Iterator[Requirement]:
    """The pinned packages of a lock, `name==version`, with a marker if they are not for every environment."""
    for line in (LOCKS / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if not line.startswith((" ", "#")):
            yield Requirement(line.removesuffix("\\"))


def versions(name: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The version of each package that a lock installs in an environment, given by PEP 508's variables."""
    applicable = [pin for pin in pins(name) if not pin.marker or pin.marker.evaluate(dict(environment))]
    found = {canonicalize_name(pin.name): next(iter(pin.specifier)).version for pin in applicable}
    if len(found) != len(applicable):
        raise ValueError(f"expected one version of each package in {name}.txt, got several for one environment")
    return found
