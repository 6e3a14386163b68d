"""The lowest versions that a pyproject.toml allows, as scripts/test-versions installs them."""

import tomllib
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def lowest(monkeypatch):
    """The lowest versions for an extra and a Python, in a project with these requirements and extras."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    from lowest_versions import lowest_versions

    def of(requirements: list[str], extras: dict[str, list[str]] | None = None, python: str = "3.11") -> dict[str, str]:
        project = {"name": "Own.Name", "dependencies": requirements, "optional-dependencies": extras or {"test": []}}
        pyproject = {"build-system": {"requires": ["builder>=7"]}, "project": project}
        return {name: str(version) for name, version in lowest_versions(pyproject, "test", python).items()}

    return of


def test_the_lowest_of_a_range_is_its_first_version(lowest):
    requirements = ["a>=1.2", "b<3,>=2.55", "c==4.1", "d~=5.0.1", "E_f[x,y]>=1,!=1.5", "g>=1rc1", "h>=1,==1.*"]
    expected = {"a": "1.2", "b": "2.55", "c": "4.1", "d": "5.0.1", "e-f": "1", "g": "1rc1", "h": "1"}
    assert lowest(requirements) == {"builder": "7", **expected}


def test_only_extras_that_an_extra_names_are_included(lowest):
    extras = {
        "test": ["own-name[all]", "t>=1"],
        "all": ["own_name[one,two]"],
        "one": ["x>=1", "own.name[all]"],
        "two": ["y>=2"],
        "other": ["z>=3"],
    }
    assert lowest(["a>=1"], extras) == {"builder": "7", "a": "1", "t": "1", "x": "1", "y": "2"}


def test_the_higher_of_two_lower_bounds_applies(lowest):
    assert lowest(["a>=1.9", "b>=3"], {"test": ["a[x]>=1.10", "B>=2"]}) == {"builder": "7", "a": "1.10", "b": "3"}


@pytest.mark.parametrize(("python", "version"), [("3.11", "1"), ("3.13", "2")])
def test_a_requirement_applies_only_to_its_pythons(lowest, python, version):
    requirements = ["a>=1", "a>=2; python_version >= '3.12'", "b>=1; python_version < '3.11'"]
    assert lowest(requirements, python=python) == {"builder": "7", "a": version}


@pytest.mark.parametrize("requirement", ["a", "a<2", "a>1", "a==2.*", "a>=1,!=1.0", "a>=3,<2"])
def test_a_range_without_a_lower_bound_is_named(lowest, requirement):
    with pytest.raises(ValueError, match=r"expected a lowest version, as in a>=1\.2, got a"):
        lowest([requirement])


def test_every_requirement_of_this_project_has_a_lower_bound(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    from lowest_versions import PYPROJECT, lowest_versions

    pyproject = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))
    assert {"numpy", "ray", "pytest", "pyarrow", "hatchling"} <= lowest_versions(pyproject, "test", "3.11").keys()
    assert lowest_versions(pyproject, "peers", "3.11").keys() >= {"torch", "ray"}
