"""Files that the tests of data sets read."""

import pytest


@pytest.fixture
def write(tmp_path):
    def write(text: str, name: str = "data.csv") -> str:
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return write
