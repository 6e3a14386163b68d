"""Where torch is not installed, as in the lock of the tests, these are left out: scripts/test-torch runs them."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("torch") else ["test_*.py"]
