import os
from collections.abc import Iterator

import pytest

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
for name in ("RAY_ADDRESS", "DISTSEARCH_RUNS"):
    os.environ.pop(name, None)


@pytest.fixture(scope="session")
def ray_with_three_cpus() -> Iterator[None]:
    """A private Ray on this machine that lets three workers run, however many cores there are."""
    import logging

    import ray

    ray.init(
        address="local",
        num_cpus=3,
        include_dashboard=False,
        object_store_memory=200 * 1024 * 1024,
        logging_level=logging.ERROR,
        log_to_driver=False,
        _node_ip_address="127.0.0.1",
    )
    yield
    ray.shutdown()
