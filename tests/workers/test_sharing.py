"""Several searches on one cluster: each takes the free cores, and more as they become free."""

import pytest
from processes import ray_workers

from .searching import NODE, cluster, driver, raylet, undisturbed

pytestmark = pytest.mark.slow


def test_searches_share_a_cluster_and_take_over_cores_that_others_release(tmp_path):
    with cluster() as nodes, driver(tmp_path / "capped", "1", address=nodes.address) as capped:
        nodes.add_node(**NODE)
        capped.rounds_until("its worker", lambda workers: workers == 1)
        with driver(tmp_path / "greedy", "all", address=nodes.address) as greedy:
            greedy.rounds_until("its worker", lambda workers: workers == 1)
            with driver(tmp_path / "queued", "all", address=nodes.address) as queued:
                said = queued.next_said()
                assert said == "the Ray cluster's CPUs (2) are all taken: the search begins when one is free"
                assert [search.next_round()[1] for search in (capped, greedy)] == [1, 1]
                assert not any(queued.folder.iterdir())
                outcomes = [capped.finish()]
                # Either of the others may get the core freed now; in the end the last one has both.
                outcomes.append(greedy.finish())
                queued.rounds_until("both workers", lambda workers: workers == 2)
                outcomes.append(queued.finish())
                assert queued.said == [said]
    for number, outcome in enumerate(outcomes):
        assert outcome == undisturbed(tmp_path / str(number), outcome[0])


def test_a_search_on_a_cluster_without_cores_starts_when_a_node_with_cores_joins(tmp_path):
    with cluster(num_cpus=0) as nodes, driver(tmp_path / "run", "all", address=nodes.address) as search:
        assert search.next_said() == "the Ray cluster has no CPUs: the search begins when a node with some joins"
        joined = nodes.add_node(**NODE | {"num_cpus": 2})
        search.rounds_until("both workers", lambda workers: workers == 2)
        assert len(ray_workers(raylet(joined))) == 2
        search.finish()
