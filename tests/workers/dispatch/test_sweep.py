"""How work is divided, in which order it is sent, and who takes over what."""

from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulated import Costs
from simulator import Simulation

from distsearch.workers.dispatch.dispatcher import Dispatcher
from distsearch.workers.dispatch.instructions import Accept, Policy, Say, Send
from distsearch.workers.dispatch.sweep import Pace

from .events import finish, loss, measured, opened, sent


@given(sizes=st.lists(st.integers(1, 4), min_size=1), workers=st.integers(1, 20), in_flight=st.integers(1, 3))
def test_shards_are_whole_tiles_and_cover_all_units_once(sizes: list[int], workers: int, in_flight: int) -> None:
    boundaries = list(accumulate(sizes, initial=0))
    dispatcher = opened(workers, Policy(in_flight=in_flight))
    sends = sent(dispatcher.start(boundaries, 0.0))
    shards = [send.shard for send in sends] + finish(dispatcher, sends, 0.0)
    assert dispatcher.done
    edges = [(shard.lo, shard.hi) for shard in sorted(set(shards))]
    assert edges[0][0] == boundaries[0]
    assert edges[-1][1] == boundaries[-1]
    assert all(before[1] == after[0] for before, after in pairwise(edges))
    assert {edge for shard in edges for edge in shard} <= set(boundaries)


def test_work_is_spread_evenly_before_it_is_queued() -> None:
    dispatcher = opened(4)
    workers = [send.worker for send in sent(dispatcher.start(range(6), 0.0))]
    assert sorted(workers[:4]) == [0, 1, 2, 3]
    assert len(workers) == 5


def test_the_first_of_many_workers_to_join_is_not_given_everything() -> None:
    dispatcher = Dispatcher(Policy())
    dispatcher.want(100, 0.0)
    dispatcher.start(range(8001), 0.0)
    given = sent(dispatcher.joined(0, 1.0))
    assert [send.shard.hi - send.shard.lo for send in given] == [10, 9]


def test_a_short_round_is_one_shard_per_worker() -> None:
    cluster = Simulation(Policy(), Costs(tile=0.0001), loss=loss)
    cluster.open(4)
    for _ in range(3):
        swept = cluster.sweep(range(41))
    assert swept is not None
    assert swept.sends == 4


@pytest.mark.parametrize(("tiles", "tile"), [(8, 0.02), (32, 0.005), (32, 0.02), (33, 0.01), (65, 0.005)])
def test_two_workers_get_equal_shares_of_a_short_round(tiles: int, tile: float) -> None:
    cluster = Simulation(Policy(), Costs(tile=tile, latency=0.0), loss=loss)
    cluster.open(2)
    for _ in range(3):
        swept = cluster.sweep(range(tiles + 1))
    assert swept is not None
    assert swept.seconds < ((tiles + 1) // 2 + 0.5) * tile


@pytest.mark.parametrize(("tiles", "tile"), [(4096, 0.1), (1000, 0.01), (64, 0.01), (64, 0.00015), (16, 0.00017)])
def test_more_workers_never_make_a_round_longer(tiles: int, tile: float) -> None:
    policy, seconds = Policy(), []
    for workers in (1, 4, 16, 64, 256, 1024, 4096):
        cluster = Simulation(policy, Costs(tile=tile, driver=policy.call_seconds), loss=loss)
        cluster.open(workers)
        swept = [cluster.sweep(range(tiles + 1)) for _ in range(4)][-1]
        assert swept is not None
        seconds.append(swept.seconds)
    assert all(later < 1.1 * earlier for earlier, later in pairwise(seconds))


def test_shards_are_long_enough_to_be_worth_a_call() -> None:
    cluster = Simulation(Policy(shortest_shard=0.02), Costs(tile=0.0001), loss=loss)
    cluster.open(2)
    cluster.sweep(range(101))
    cluster.sweep(range(10_001))
    tiles = sorted(send.shard.hi - send.shard.lo for _, send in cluster.sent)
    assert tiles[1] >= 80  # 20 ms less the call's own time; the last one is what is left


def test_shards_are_longer_when_the_driver_would_not_keep_up() -> None:
    cluster = Simulation(Policy(call_seconds=0.001), Costs(tile=0.01), loss=loss)
    cluster.open(500)
    cluster.sweep(range(1001))
    swept = cluster.sweep(range(500_001))
    assert swept is not None
    tiles = [send.shard.hi - send.shard.lo for _, send in cluster.sent]
    assert sorted(tiles)[len(tiles) // 100] >= 49  # 500 workers × 1 ms are half a second, or 50 tiles


def test_there_are_never_more_shards_than_the_policy_allows() -> None:
    cluster = Simulation(Policy(max_shards=100), Costs(tile=1.0), loss=loss)
    cluster.open(10)
    swept = cluster.sweep(range(5001))
    assert swept is not None
    assert len({send.shard for _, send in cluster.sent}) <= 100


def test_a_sweep_without_tiles_is_done() -> None:
    dispatcher = Dispatcher(Policy())
    assert dispatcher.start([0], 0.0) == []
    assert dispatcher.done


def test_each_kind_of_work_has_its_own_pace() -> None:
    dispatcher = measured(1)
    dispatcher.start(range(2), 10.0, kind="noise")
    assert dispatcher.next_deadline() == 70.0  # nothing is known about it yet
    dispatcher.start(range(2), 10.0)
    assert dispatcher.next_deadline() == 70.0  # the worker has the other shard first


def test_the_pace_is_the_median_of_the_latest_answers() -> None:
    pace = Pace()
    assert pace.median == 0.0
    for seconds in (5.0, 1.0, 1000.0):
        pace.add(seconds)
    assert pace.median == 5.0
    for _ in range(Pace.WINDOW // 2 + 1):
        pace.add(2.0)
    assert pace.median == 2.0
    for _ in range(Pace.WINDOW):
        pace.add(3.0)
    for _ in range(Pace.WINDOW // 2 + 1):
        pace.add(1.0)
    assert pace.median == 1.0


def test_shards_of_a_lost_worker_are_sent_first_starting_with_the_one_it_ran() -> None:
    dispatcher = opened(2, Policy(restarts=0))
    sends = sent(dispatcher.start(range(101), 0.0))
    had = [send.shard for send in sends if send.worker == 1]
    others = [send.shard for send in sends if send.worker == 0]
    assert len(had) == len(others) == 2
    dispatcher.lost(1, "its process died", 0.1)
    assert sent(dispatcher.answered(0, others[0], 0.2)) == [Send(0, had[0])]
    assert sent(dispatcher.answered(0, others[1], 0.3)) == [Send(0, had[1])]


def test_a_shard_that_has_cost_two_workers_waits_before_it_is_retried() -> None:
    dispatcher = measured(5, Policy(restarts=0, retry_delay=0.1))
    (send,) = sent(dispatcher.start(range(2), 10.0))
    (again,) = sent(dispatcher.lost(send.worker, "its process died", 11.0))
    assert again.shard == send.shard
    assert sent(dispatcher.lost(again.worker, "its process died", 12.0)) == []
    assert dispatcher.next_deadline() == 12.0 + 0.1 * 2**2
    assert [order.shard for order in sent(dispatcher.tick(12.5))] == [send.shard]


def test_a_worker_passed_over_for_a_shard_it_already_has_keeps_its_capacity() -> None:
    dispatcher = measured(2, Policy(restarts=0))
    slow, fast = sent(dispatcher.start(range(3), 1.0))
    dispatcher.answered(fast.worker, fast.shard, 2.0)
    assert sent(dispatcher.tick(3.0)) == [Send(fast.worker, slow.shard)]
    assert dispatcher.lost(slow.worker, "its process died", 3.1) == [
        Say("a worker is missing and all restarts are used up")
    ]
    assert len(sent(dispatcher.start(range(3), 3.2))) == 1


def test_an_idle_worker_takes_over_shards_that_have_not_begun() -> None:
    dispatcher = measured(2, Policy(shards_per_worker=1))
    one, *two = sent(dispatcher.start(range(5), 1.0))
    assert [send.shard.hi - send.shard.lo for send in (one, *two)] == [2, 1, 1]
    assert two[0].worker == two[1].worker != one.worker
    assert sent(dispatcher.answered(one.worker, one.shard, 1.5)) == []  # two[0] may be ready too
    assert dispatcher.next_deadline() == 1.5
    assert sent(dispatcher.tick(1.5)) == [Send(one.worker, two[1].shard)]


def test_an_idle_worker_leaves_shards_that_have_begun() -> None:
    dispatcher = measured(2, Policy(shards_per_worker=1))
    one, *two = sent(dispatcher.start(range(5), 1.0))
    dispatcher.answered(two[0].worker, two[0].shard, 1.4)
    assert dispatcher.answered(one.worker, one.shard, 1.5) == [Accept(one.shard)]
    assert dispatcher.tick(1.5) == []


def test_an_idle_worker_waits_until_all_ready_answers_are_known() -> None:
    dispatcher = measured(2, Policy(shards_per_worker=1))
    one, *two = sent(dispatcher.start(range(5), 1.0))
    assert dispatcher.answered(one.worker, one.shard, 1.5) == [Accept(one.shard)]
    dispatcher.answered(two[0].worker, two[0].shard, 1.5)
    assert dispatcher.tick(1.5) == []  # meanwhile the other shard has begun


def test_with_nothing_to_take_over_there_is_no_wake_up() -> None:
    dispatcher = measured(2)
    one, _ = sent(dispatcher.start(range(3), 1.0))
    dispatcher.answered(one.worker, one.shard, 1.5)
    assert dispatcher.next_deadline() == 1.0 + 2 * 1.0


def test_an_idle_worker_leaves_shards_begun_elsewhere_after_a_loss() -> None:
    dispatcher = measured(3, Policy(restarts=0))
    *single, first, behind = sent(dispatcher.start(range(5), 1.0))
    assert behind.worker in {first.worker, *(send.worker for send in single)}
    lost = behind.worker
    (ran,) = [send.shard for send in (*single, first) if send.worker == lost]
    alive = [send for send in (*single, first) if send.worker != lost]
    moved = {send.shard: send.worker for send in sent(dispatcher.lost(lost, "its process died", 1.1))}
    assert set(moved) == {ran, behind.shard}
    (free,) = [send for send in alive if send.worker == moved[ran]]
    (busy,) = [send for send in alive if send.worker == moved[behind.shard]]
    dispatcher.answered(busy.worker, busy.shard, 1.2)  # so that it begins with the one queued behind
    dispatcher.answered(free.worker, free.shard, 1.3)
    assert dispatcher.answered(free.worker, ran, 1.4) == [Accept(ran)]
    assert dispatcher.tick(1.4) == []


def test_an_idle_worker_leaves_very_short_shards_until_they_are_slow() -> None:
    dispatcher = measured(2, Policy(shards_per_worker=1, shortest_shard=1.0))
    one, *two = sent(dispatcher.start(range(5), 1.0))
    idle = one.worker
    dispatcher.answered(idle, one.shard, 1.5)
    assert dispatcher.tick(1.5) == []
    assert sent(dispatcher.tick(3.0)) == [Send(idle, two[0].shard)]
    dispatcher.answered(idle, two[0].shard, 3.5)
    assert sent(dispatcher.tick(3.5)) == [Send(idle, two[1].shard)]


def test_an_idle_worker_leaves_answered_shards_that_wait_elsewhere() -> None:
    dispatcher = measured(2, Policy(shards_per_worker=1))
    one, *two = sent(dispatcher.start(range(5), 1.0))
    dispatcher.tick(5.0)  # the worker with two shards is late with both
    taken = sent(dispatcher.answered(one.worker, one.shard, 5.5))
    assert [send.shard for send in taken] == [send.shard for send in two]
    for now, send in ((6.5, taken[0]), (7.5, taken[1])):
        assert dispatcher.answered(send.worker, send.shard, now) == [Accept(send.shard)]
        assert dispatcher.tick(now) == []
