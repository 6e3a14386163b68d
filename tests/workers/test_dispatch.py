"""The dispatcher, event by event and in a virtual cluster in which everything goes wrong."""

from itertools import accumulate, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distsearch.errors import ObjectiveError, SettingError, WorkersError
from distsearch.workers.dispatch import Dispatcher
from distsearch.workers.instructions import (
    Accept,
    GiveUp,
    Instruction,
    Policy,
    Say,
    Send,
    StartWorker,
    Stop,
)
from distsearch.workers.staff import RestartBudget
from distsearch.workers.sweep import Pace

from .simulator import Costs, Fault, Simulation

HARMS = ("kill", "hang", "pause", "cut", "repeat")


def loss(sweep: int, unit: int) -> float:
    """Different for each sweep and unit, so that an answer that goes astray is seen."""
    return sweep + unit / 1_000_003


def opened(workers: int, policy: Policy | None = None) -> Dispatcher:
    dispatcher = Dispatcher(policy or Policy())
    for start in dispatcher.want(workers, 0.0):
        assert isinstance(start, StartWorker)
        assert dispatcher.joined(start.worker, 0.0) == []
    return dispatcher


def sent(instructions: list[Instruction]) -> list[Send]:
    return [instruction for instruction in instructions if isinstance(instruction, Send)]


def measured(workers: int, policy: Policy | None = None) -> Dispatcher:
    """One that knows that a tile takes a second. It is at 1 s, and all workers are idle."""
    dispatcher = opened(workers, policy)
    for send in dispatcher.start(range(workers + 1), 0.0):
        dispatcher.answered(send.worker, send.shard, 1.0)
    assert dispatcher.done
    return dispatcher


# in the virtual cluster


@st.composite
def tile_boundaries(draw: st.DrawFn) -> list[int]:
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=90))
    return list(accumulate(sizes, initial=0))


def faults(kinds: tuple[str, ...]) -> st.SearchStrategy[list[Fault]]:
    fault = st.builds(
        Fault,
        at=st.floats(0, 3),
        kind=st.sampled_from(kinds),
        which=st.integers(0, 12),
        seconds=st.sampled_from([0.01, 0.3, 2.0, 20.0, 100.0]),
    )
    return st.lists(fault, max_size=14)


@settings(max_examples=250, deadline=None)
@given(
    workers=st.integers(1, 9),
    sweeps=st.lists(tile_boundaries(), min_size=1, max_size=5),
    faults=faults((*HARMS, "want", "refuse")),
    in_flight=st.integers(1, 3),
    seed=st.integers(0, 999),
)
def test_every_sweep_is_finished_while_one_worker_is_well(
    workers: int, sweeps: list[list[int]], faults: list[Fault], in_flight: int, seed: int
) -> None:
    policy = Policy(in_flight=in_flight, first_deadline=5.0, restart_seconds=1.0, deaths_before_stop=99)
    costs = Costs(tile=0.1, shard_spread=0.5, worker_spread=0.5, tail_chance=0.1, notice=0.05)
    cluster = Simulation(policy, costs, seed, loss, spare=True)
    cluster.open(workers)
    cluster.disturb(faults)
    for boundaries in sweeps:
        # The simulation checks that each loss is accepted once, and that all are those of this sweep, in order.
        swept = cluster.sweep(boundaries, limit=3000.0)
        assert swept is not None, cluster.error


@settings(max_examples=150, deadline=None)
@given(
    workers=st.integers(1, 6),
    boundaries=tile_boundaries(),
    faults=faults((*HARMS, "refuse")),
    restarts=st.integers(0, 3),
    seed=st.integers(0, 999),
)
def test_without_protection_a_sweep_is_finished_or_stopped_for_want_of_workers(
    workers: int, boundaries: list[int], faults: list[Fault], restarts: int, seed: int
) -> None:
    policy = Policy(restarts=restarts, restart_seconds=500.0, wait_for_worker=40.0, first_deadline=5.0)
    cluster = Simulation(policy, Costs(tile=0.1), seed, loss)
    cluster.open(workers)
    # Not those that hang: without restarts they are waited for, as nobody knows that they will never answer.
    cluster.disturb([fault for fault in faults if fault.kind != "hang"])
    for _ in range(3):
        if cluster.sweep(boundaries, limit=3000.0) is None:
            assert isinstance(cluster.error, WorkersError)
            (begin, said), *_ = [
                (at, text) for at, text in cluster.said[::-1] if text.startswith("no worker")
            ]
            assert cluster.now >= begin + 40.0
            assert "waiting up to 40 s" in said
    replaced = len(cluster.started_at) - workers
    assert replaced <= restarts + cluster.now / 500.0


def test_the_same_events_make_the_same_decisions() -> None:
    def run() -> list[Send]:
        cluster = Simulation(Policy(), Costs(tail_chance=0.1, shard_spread=0.5), 7, loss)
        cluster.open(20)
        cluster.disturb([Fault(0.2, "kill", 3), Fault(0.3, "pause", 5, 9.0)])
        cluster.sweep(range(2000))
        return [send for _, send in cluster.sent]

    assert run() == run()


def test_a_thousand_workers_with_heavy_tails_are_idle_for_less_than_a_twentieth_of_the_time() -> None:
    costs = Costs(tile=0.5, worker_spread=0.1, shard_spread=0.3, tail_chance=0.02, tail_shape=1.5)
    cluster = Simulation(Policy(), costs, 1, loss)
    cluster.open(1000)
    cluster.sweep(range(10_001))  # learns the pace
    swept = cluster.sweep(range(100_001))
    assert swept is not None
    assert swept.busy > 0.95
    assert swept.useful > 0.92  # the rest is work done twice


def test_workers_of_unequal_speed_finish_together() -> None:
    cluster = Simulation(Policy(), Costs(tile=0.1, worker_spread=0.5), 3, loss)
    cluster.open(200)
    cluster.sweep(range(2001))
    swept = cluster.sweep(range(20_001))
    assert swept is not None
    assert swept.busy > 0.95


def test_a_hung_worker_is_overtaken_and_finally_replaced() -> None:
    cluster = Simulation(Policy(), Costs(tile=0.05), loss=loss)
    cluster.open(4)
    calm = cluster.sweep(range(401))
    assert calm is not None
    cluster.disturb([Fault(1.0, "hang", 2)])
    swept = cluster.sweep(range(401))
    assert swept is not None
    assert swept.seconds < calm.seconds * 4 / 3 + 1.5
    cluster.wait(10.0)
    assert cluster.given_up == [2]
    assert cluster.dispatcher.alive == 4  # with the new one
    assert len(cluster.started_at) == 5


def test_a_lone_hung_worker_is_replaced() -> None:
    cluster = Simulation(Policy(), Costs(tile=0.05), loss=loss)
    cluster.open(1)
    cluster.sweep(range(5))
    cluster.disturb([Fault(0.01, "hang")])
    swept = cluster.sweep(range(5))
    assert swept is not None
    assert 60.0 <= swept.seconds < 70.0  # the first deadline: nobody else can show that it was not the work
    assert cluster.given_up == [0]


def test_a_worker_that_is_always_late_is_dropped_and_one_that_was_late_once_is_not() -> None:
    cluster = Simulation(Policy(), Costs(tile=0.5), loss=loss)
    cluster.open(5)
    cluster.machines[3].slowness = 20.0
    cluster.disturb([Fault(2.0, "pause", 1, 8.0)])
    for _ in range(3):
        cluster.sweep(range(201))
    assert cluster.given_up == [3]


def test_tiny_rounds_go_on_while_a_worker_hangs() -> None:
    cluster = Simulation(Policy(), Costs(tile=0.0005), loss=loss)
    cluster.open(2)
    cluster.sweep(range(3))
    cluster.disturb([Fault(0.0, "hang", 1)])
    begin = cluster.now
    for _ in range(100):
        cluster.sweep(range(3))
    assert cluster.now - begin < 0.5


def test_new_capacity_is_used_at_once_and_is_no_restart() -> None:
    cluster = Simulation(Policy(restarts=0), Costs(tile=0.1, start=2.0), loss=loss)
    cluster.open(2)
    cluster.disturb([Fault(5.0, "want", 6)])
    swept = cluster.sweep(range(401))
    assert swept is not None
    assert cluster.dispatcher.alive == 6
    joined_at = cluster.machines[5].joined_at
    first = min(at for at, send in cluster.sent if send.worker == 5)
    assert first == joined_at
    assert swept.seconds < 7.0 + (40.0 - 14.0) / 6 * 1.15  # 14 of 40 s of work are done by two workers in 7 s


def test_the_first_to_join_of_many_is_not_given_everything() -> None:
    dispatcher = Dispatcher(Policy())
    dispatcher.want(100, 0.0)
    dispatcher.start(range(8001), 0.0)
    given = sent(dispatcher.joined(0, 1.0))
    assert [send.shard.hi - send.shard.lo for send in given] == [10, 9]


def test_a_shard_that_kills_workers_stops_the_run_and_is_named() -> None:
    cluster = Simulation(Policy(restarts=40), Costs(tile=0.05), loss=loss)
    cluster.open(20)
    cluster.deadly = {123}
    assert cluster.sweep(range(401)) is None
    assert isinstance(cluster.error, WorkersError)
    assert "8 workers were lost, one after another, while they tried units 1" in str(cluster.error)
    assert len(cluster.started_at) == 28


def test_a_node_that_dies_with_all_its_workers_is_no_reason_to_stop() -> None:
    cluster = Simulation(Policy(restarts=64), Costs(tile=0.05, notice=0.0), loss=loss)
    cluster.open(64)
    cluster.disturb([Fault(0.1 + 0.001 * worker, "kill", 0) for worker in range(63)])
    assert cluster.sweep(range(401)) is not None


# user's errors


def test_an_error_of_the_users_code_stops_at_once_and_is_never_tried_again() -> None:
    cluster = Simulation(Policy(), Costs(tile=0.05), loss=loss)
    cluster.open(8)
    cluster.raising = {77}
    assert cluster.sweep(range(401)) is None
    assert isinstance(cluster.error, ObjectiveError)
    assert str(cluster.error) == "the loss raised"
    assert [send.shard.lo <= 77 < send.shard.hi for _, send in cluster.sent].count(True) == 1
    cluster.raising = set()
    assert cluster.sweep(range(401)) is not None  # and what is left at the workers is not mixed up with it


def test_an_error_in_a_repeat_whose_answer_is_there_already_is_not_minded() -> None:
    dispatcher = measured(2)
    slow, fast = sent(dispatcher.start(range(3), 1.0))
    dispatcher.answered(fast.worker, fast.shard, 2.0)
    (repeat,) = sent(dispatcher.tick(3.0))
    assert repeat == Send(fast.worker, slow.shard)
    assert dispatcher.answered(slow.worker, slow.shard, 3.5) == [Accept(slow.shard)]
    assert dispatcher.failed(repeat.worker, repeat.shard, "out of memory", 3.6) == []


# waiting for workers


def test_without_any_worker_it_says_so_once_and_stops_after_the_settable_time() -> None:
    dispatcher = opened(1, Policy(restarts=0, wait_for_worker=30.0))
    dispatcher.start(range(11), 10.0)
    (said, _) = dispatcher.lost(0, "its node is gone", 20.0)[::-1]
    assert said == Say("no worker: waiting up to 30 s for one (its node is gone)")
    assert dispatcher.next_deadline() == 50.0
    assert dispatcher.tick(49.999) == []
    (stop,) = dispatcher.tick(50.0)
    assert isinstance(stop, Stop)
    assert isinstance(stop.error, WorkersError)
    assert "within 30 s" in str(stop.error)
    assert "its node is gone" in str(stop.error)
    assert dispatcher.done


def test_a_worker_that_comes_in_time_ends_the_wait() -> None:
    dispatcher = opened(1, Policy(wait_for_worker=30.0))
    dispatcher.start(range(11), 0.0)
    start, said = dispatcher.lost(0, "its process died", 20.0)
    assert start == StartWorker(1)
    assert isinstance(said, Say)
    assert sent(dispatcher.joined(1, 49.0))
    assert dispatcher.tick(51.0) == []


# work, event by event


def test_what_a_lost_worker_had_goes_out_first_and_what_it_ran_before_the_rest() -> None:
    dispatcher = opened(2, Policy(restarts=0))
    sends = sent(dispatcher.start(range(101), 0.0))
    had = [send.shard for send in sends if send.worker == 1]
    others = [send.shard for send in sends if send.worker == 0]
    assert len(had) == len(others) == 2
    dispatcher.lost(1, "its process died", 0.1)
    assert sent(dispatcher.answered(0, others[0], 0.2)) == [Send(0, had[0])]
    assert sent(dispatcher.answered(0, others[1], 0.3)) == [Send(0, had[1])]


def test_only_the_first_answer_is_accepted() -> None:
    dispatcher = measured(2)
    slow, fast = sent(dispatcher.start(range(3), 1.0))
    assert dispatcher.answered(fast.worker, fast.shard, 2.0) == [Accept(fast.shard)]
    assert dispatcher.answered(fast.worker, fast.shard, 2.0) == []  # twice
    assert sent(dispatcher.tick(3.0)) == [Send(fast.worker, slow.shard)]  # idle, and the other is slow
    assert dispatcher.answered(fast.worker, slow.shard, 4.0) == [Accept(slow.shard)]
    assert dispatcher.answered(slow.worker, slow.shard, 4.1) == []  # late
    assert dispatcher.done


def test_answers_of_workers_that_were_lost_and_of_abandoned_sweeps_are_dropped() -> None:
    dispatcher = opened(2)
    old = sent(dispatcher.start(range(3), 0.0))
    new = sent(dispatcher.start(range(3), 1.0))
    assert {send.shard.sweep for send in old} == {1}
    assert {send.shard.sweep for send in new} == {2}
    assert Accept(old[0].shard) not in dispatcher.answered(old[0].worker, old[0].shard, 2.0)
    dispatcher.lost(old[1].worker, "its process died", 2.0)
    assert dispatcher.answered(old[1].worker, new[1].shard, 2.1) == []
    assert not dispatcher.done


def test_a_deadline_counts_from_when_the_shard_comes_to_the_head_of_the_line() -> None:
    dispatcher = measured(2, Policy(backup_factor=9.0, deadline_factor=4.0))
    sends = sent(dispatcher.start(range(33), 1.0))  # two shards of two tiles each
    first, second = [send.shard for send in sends if send.worker == 0]
    assert (first.hi - first.lo, second.hi - second.lo) == (2, 1)
    dispatcher.lost(1, "its process died", 1.0)
    assert dispatcher.next_deadline() == 9.0
    dispatcher.answered(0, first, 8.0)
    assert dispatcher.next_deadline() == 12.0


def test_a_busy_driver_does_not_blame_the_workers() -> None:
    dispatcher = measured(3)
    sends = sent(dispatcher.start(range(4), 1.0))
    for send in sends:  # all were ready long ago
        assert dispatcher.answered(send.worker, send.shard, 500.0) == [Accept(send.shard)]
    assert dispatcher.tick(500.0) == []


def test_a_late_shard_takes_what_waits_behind_it_along() -> None:
    dispatcher = measured(2)
    sends = sent(dispatcher.start(range(33), 1.0))
    stuck = [send.shard for send in sends if send.worker == 0]
    mine = [send.shard for send in sends if send.worker == 1]
    dispatcher.tick(9.0)
    taken = sent(dispatcher.answered(1, mine[0], 9.0)) + sent(dispatcher.answered(1, mine[1], 9.0))
    assert taken == [Send(1, shard) for shard in stuck]


def test_nothing_is_put_behind_what_is_slow() -> None:
    dispatcher = measured(3, Policy(restarts=0))
    first, second, third = sent(dispatcher.start(range(4), 1.0))
    assert dispatcher.tick(3.0) == []  # all are slow, and nobody is idle
    assert sent(dispatcher.lost(third.worker, "its process died", 3.0)) == []
    freed = dispatcher.answered(first.worker, first.shard, 3.1)
    assert freed == [
        Accept(first.shard),
        Send(first.worker, third.shard),
    ]
    assert second.worker != first.worker


def test_an_idle_worker_takes_over_what_has_not_begun() -> None:
    dispatcher = measured(2, Policy(shards_per_worker=1))
    sends = sent(dispatcher.start(range(5), 1.0))
    assert [send.shard.hi - send.shard.lo for send in sends] == [2, 1, 1]
    assert sends[1].worker == sends[2].worker != sends[0].worker
    assert sent(dispatcher.answered(sends[0].worker, sends[0].shard, 1.5)) == [
        Send(sends[0].worker, sends[2].shard)
    ]


def test_an_idle_worker_leaves_alone_what_is_too_short_to_be_worth_it() -> None:
    dispatcher = measured(2, Policy(shards_per_worker=1, shortest_shard=1.0))
    sends = sent(dispatcher.start(range(5), 1.0))
    assert sent(dispatcher.answered(sends[0].worker, sends[0].shard, 1.5)) == []


def test_the_late_are_forgiven_when_nobody_was_faster() -> None:
    dispatcher = measured(2)
    for begin in (100.0, 200.0, 300.0, 400.0, 500.0):
        sends = sent(dispatcher.start(range(3), begin))
        assert not any(isinstance(order, GiveUp) for order in dispatcher.tick(begin + 50.0))
        for send in sends:  # both have become slow
            assert Accept(send.shard) in dispatcher.answered(send.worker, send.shard, begin + 50.0)
    assert dispatcher.alive == 2


# cutting


@given(boundaries=tile_boundaries(), workers=st.integers(1, 20), in_flight=st.integers(1, 3))
def test_shards_are_whole_tiles_and_cover_all_units_once(
    boundaries: list[int], workers: int, in_flight: int
) -> None:
    dispatcher = opened(workers, Policy(in_flight=in_flight))
    queue = sent(dispatcher.start(boundaries, 0.0))
    shards = []
    while queue:
        send = queue.pop(0)
        shards.append(send.shard)
        queue += sent(dispatcher.answered(send.worker, send.shard, 0.0))
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


def test_a_short_round_is_one_shard_a_worker() -> None:
    cluster = Simulation(Policy(), Costs(tile=0.0001), loss=loss)
    cluster.open(4)
    for _ in range(3):
        swept = cluster.sweep(range(41))
    assert swept is not None
    assert swept.sends == 4


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
    assert dispatcher.next_deadline() == 70.0  # nothing is known of it
    dispatcher.start(range(2), 10.0)
    assert dispatcher.next_deadline() == 70.0  # the worker has the other one first


# parts


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


def test_the_restart_budget_refills_one_by_one() -> None:
    budget = RestartBudget(2, 10.0)
    assert [budget.take(now) for now in (100.0, 101.0, 102.0)] == [True, True, False]
    assert budget.next_at == 110.0
    assert not budget.take(109.9)
    assert [budget.take(110.0), budget.take(110.0)] == [True, False]
    assert [budget.take(1000.0) for _ in range(3)] == [True, True, False]


def test_workers_that_cannot_start_are_tried_again_within_the_budget() -> None:
    cluster = Simulation(
        Policy(restarts=3, restart_seconds=100.0, wait_for_worker=999.0), Costs(start=1.0), loss=loss
    )
    cluster.open(1)
    cluster.disturb([Fault(0.0, "refuse", seconds=250.0), Fault(0.001, "kill")])
    swept = cluster.sweep(range(101))
    assert swept is not None
    begins = [round(at) for at in cluster.started_at]
    assert begins == [0, 1, 2, 3, 101, 201, 301]
    assert [text for _, text in cluster.said if "restarts are used up" in text] == [
        "a worker is missing and all restarts are used up; the next in 97 s",
        "a worker is missing and all restarts are used up; the next in 99 s",
        "a worker is missing and all restarts are used up; the next in 99 s",
    ]


def test_capacity_that_went_and_came_back_is_no_restart() -> None:
    dispatcher = opened(3, Policy(restarts=0))
    dispatcher.want(2, 1.0)
    assert dispatcher.lost(2, "its node is gone", 2.0) == []
    assert dispatcher.want(3, 3.0) == [StartWorker(3)]
    # but a count that only flickers earns nothing
    dispatcher.joined(3, 4.0)
    dispatcher.want(2, 5.0)
    dispatcher.want(3, 6.0)
    assert StartWorker(4) not in dispatcher.lost(0, "its process died", 7.0)


def test_a_loss_that_is_told_twice_or_after_giving_up_counts_once() -> None:
    dispatcher = opened(2, Policy(restarts=5))
    assert dispatcher.lost(1, "its process died", 0.0) == [StartWorker(2)]
    assert dispatcher.lost(1, "its process died", 0.0) == []
    assert dispatcher.joined(1, 0.0) == []
    assert dispatcher.alive == 1


def test_a_policy_that_would_wait_for_ever_is_refused() -> None:
    with pytest.raises(SettingError, match="in_flight: expected a number above 0, came 0"):
        Policy(in_flight=0)
    with pytest.raises(SettingError, match="deadline_floor"):
        Policy(deadline_floor=float("nan"))
    assert Policy(restarts=0).restarts == 0
    with pytest.raises(SettingError, match="restarts: expected a number above 0, came -1"):
        Policy(restarts=-1)
