"""What is said of a package that only some features need: not there, or there but broken."""

import re

import pytest

from distsearch.errors import DataError, SettingError
from distsearch.errors.importing import importing


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Write a package of one module, which can then be imported."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(name, content):
        (tmp_path / f"{name}.py").write_text(content)

    return write


def test_a_package_that_is_not_there_is_named_with_the_extra_that_has_it():
    sentence = 'reading x needs No-Where, which is not installed; type pip install "distsearch[places]"'
    with (
        pytest.raises(DataError, match=f"^{re.escape(sentence)}$"),
        importing("nowhere", "reading x needs", package="No-Where", extra="places", error=DataError),
    ):
        import nowhere  # noqa: F401


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("import nowhere_else", "ModuleNotFoundError: No module named 'nowhere_else'"),
        ("raise ImportError('a long story\\nlibthis.so.5 is missing.')", "ImportError: libthis.so.5 is missing"),
        ("import math; math.api", "AttributeError: module 'math' has no attribute 'api'"),
        ("raise ValueError", "ValueError"),
    ],
)
def test_one_that_is_there_but_broken_says_why_in_its_own_last_line(packages, content, reason):
    packages("half_installed", content)
    sentence = (
        f"plots need half_installed, which is there, but cannot be imported ({reason}); type pip install --upgrade "
        "half_installed"
    )
    with (
        pytest.raises(SettingError, match=f"^{re.escape(sentence)}$") as raised,
        importing("half_installed", "plots need"),
    ):
        import half_installed  # noqa: F401
    assert raised.value.__cause__ is not None
