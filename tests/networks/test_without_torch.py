"""torch is needed for modules alone."""

from programs import ran


def test_all_else_works_without_torch(tmp_path):
    program = """
import sys
sys.modules["torch"] = None
import distsearch
from distsearch.errors import SettingError
X, y = [[0.0], [1.0], [2.0]] * 4, [0, 1, 1] * 4
distsearch.search(X, y, rounds=2, workers=0).predict(X)
try:
    distsearch.search(X, y, model="mine:Net")
except SettingError as error:
    print(error)
"""
    said = ran(cwd=tmp_path, program=program, fresh=True).stdout
    assert said == 'model: needs torch, which is not installed; type pip install "distsearch[torch]"\n'
