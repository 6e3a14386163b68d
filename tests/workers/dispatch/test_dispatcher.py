"""The dispatcher in a virtual cluster in which everything goes wrong."""

from itertools import accumulate

from hypothesis import given, settings
from hypothesis import strategies as st
from simulated import Costs, Fault
from simulator import Simulation

from distsearch.errors import ObjectiveError, WorkersError
from distsearch.workers.dispatch.instructions import Accept, Policy, Send

from .events import loss, measured, opened, sent

HARMS = ("kill", "hang", "pause", "cut", "repeat")


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


@settings(max_examples=250)
@given(
    workers=st.integers(1, 9),
    sweeps=st.lists(tile_boundaries(), min_size=1, max_size=5),
    faults=faults((*HARMS, "want", "refuse")),
    in_flight=st.integers(1, 3),
    seed=st.integers(0, 999),
)
def test_every_sweep_finishes_while_one_worker_is_healthy(
    workers: int, sweeps: list[list[int]], faults: list[Fault], in_flight: int, seed: int
) -> None:
    policy = Policy(in_flight=in_flight, first_deadline=5.0, restart_seconds=1.0, deaths_before_stop=99)
    costs = Costs(tile=0.1, shard_spread=0.5, worker_spread=0.5, tail_chance=0.1, notice=0.05)
    cluster = Simulation(policy, costs, seed, loss, spare=True)
    cluster.open(workers)
    cluster.disturb(faults)
    for boundaries in sweeps:
        # The simulation checks that each loss is accepted once, and belongs to this sweep and unit.
        swept = cluster.sweep(boundaries, limit=3000.0)
        assert swept is not None, cluster.error


@settings(max_examples=150)
@given(
    workers=st.integers(1, 6),
    boundaries=tile_boundaries(),
    faults=faults((*HARMS, "refuse")),
    restarts=st.integers(0, 3),
    deaths=st.integers(1, 4),
    seed=st.integers(0, 999),
)
def test_without_protection_a_sweep_finishes_or_stops_for_lack_of_workers(
    workers: int, boundaries: list[int], faults: list[Fault], restarts: int, deaths: int, seed: int
) -> None:
    policy = Policy(
        restarts=restarts,
        restart_seconds=500.0,
        wait_for_worker=40.0,
        first_deadline=5.0,
        deaths_before_stop=deaths,
    )
    cluster = Simulation(policy, Costs(tile=0.1), seed, loss)
    cluster.open(workers)
    # Except hung ones: without restarts they are waited for, since they might still answer.
    cluster.disturb([fault for fault in faults if fault.kind != "hang"])
    for _ in range(3):
        if cluster.sweep(boundaries, limit=3000.0) is None:
            assert isinstance(cluster.error, WorkersError)
            if "while evaluating" in str(cluster.error):
                continue
            (begin, said), *_ = [(at, text) for at, text in cluster.said[::-1] if text.startswith("no worker")]
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


def test_a_thousand_workers_with_heavy_tails_are_idle_less_than_a_twentieth_of_the_time() -> None:
    costs = Costs(tile=0.5, worker_spread=0.1, shard_spread=0.3, tail_chance=0.02, tail_shape=1.5)
    cluster = Simulation(Policy(), costs, 1, loss)
    cluster.open(1000)
    cluster.sweep(range(10_001))  # learns the pace
    swept = cluster.sweep(range(100_001))
    assert swept is not None
    assert swept.busy > 0.95
    assert swept.useful > 0.92  # the rest is duplicated work


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
    assert cluster.dispatcher.alive == 4  # including the new one
    assert len(cluster.started_at) == 5


def test_a_lone_hung_worker_is_replaced() -> None:
    cluster = Simulation(Policy(), Costs(tile=0.05), loss=loss)
    cluster.open(1)
    cluster.sweep(range(5))
    cluster.disturb([Fault(0.01, "hang")])
    swept = cluster.sweep(range(5))
    assert swept is not None
    assert 60.0 <= swept.seconds < 70.0  # the first deadline: no other worker can show that the work is not to blame
    assert cluster.given_up == [0]


def test_a_worker_that_is_always_late_is_dropped_but_not_one_late_once() -> None:
    cluster = Simulation(Policy(), Costs(tile=0.5), loss=loss)
    cluster.open(5)
    cluster.machines[3].slowness = 20.0
    cluster.disturb([Fault(2.0, "pause", 1, 8.0)])
    for _ in range(3):
        cluster.sweep(range(201))
    assert cluster.given_up == [3]


def test_tiny_rounds_continue_while_a_worker_hangs() -> None:
    cluster = Simulation(Policy(), Costs(tile=0.0005), loss=loss)
    cluster.open(2)
    cluster.sweep(range(3))
    cluster.disturb([Fault(0.0, "hang", 1)])
    begin = cluster.now
    for _ in range(100):
        cluster.sweep(range(3))
    assert cluster.now - begin < 0.5


def test_new_capacity_is_used_at_once_and_does_not_count_as_a_restart() -> None:
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


def test_a_shard_that_kills_workers_stops_the_run_and_is_named() -> None:
    cluster = Simulation(Policy(restarts=40), Costs(tile=0.05), loss=loss)
    cluster.open(20)
    cluster.deadly = {123}
    assert cluster.sweep(range(401)) is None
    assert isinstance(cluster.error, WorkersError)
    assert "8 workers were lost, one after another, while evaluating units 1" in str(cluster.error)
    assert len(cluster.started_at) == 28


def test_a_node_that_dies_with_all_its_workers_does_not_stop_the_search() -> None:
    cluster = Simulation(Policy(restarts=64), Costs(tile=0.05, notice=0.0), loss=loss)
    cluster.open(64)
    cluster.disturb([Fault(0.1 + 0.001 * worker, "kill", 0) for worker in range(63)])
    assert cluster.sweep(range(401)) is not None


def test_an_error_in_the_user_s_code_stops_at_once_and_is_never_retried() -> None:
    cluster = Simulation(Policy(), Costs(tile=0.05), loss=loss)
    cluster.open(8)
    cluster.raising = {77}
    assert cluster.sweep(range(401)) is None
    assert isinstance(cluster.error, ObjectiveError)
    assert str(cluster.error) == "the loss raised"
    assert [send.shard.lo <= 77 < send.shard.hi for _, send in cluster.sent].count(True) == 1
    cluster.raising = set()
    assert cluster.sweep(range(401)) is not None  # and the work left at the workers is not mixed up with it


def test_an_error_in_a_repeat_is_ignored_if_the_answer_is_known() -> None:
    dispatcher = measured(2)
    slow, fast = sent(dispatcher.start(range(3), 1.0))
    dispatcher.answered(fast.worker, fast.shard, 2.0)
    (repeat,) = sent(dispatcher.tick(3.0))
    assert repeat == Send(fast.worker, slow.shard)
    assert dispatcher.answered(slow.worker, slow.shard, 3.5) == [Accept(slow.shard)]
    assert dispatcher.failed(repeat.worker, repeat.shard, MemoryError(), 3.6) == []


def test_only_the_first_answer_is_accepted() -> None:
    dispatcher = measured(2)
    slow, fast = sent(dispatcher.start(range(3), 1.0))
    assert dispatcher.answered(fast.worker, fast.shard, 2.0) == [Accept(fast.shard)]
    assert dispatcher.answered(fast.worker, fast.shard, 2.0) == []  # twice
    assert sent(dispatcher.tick(3.0)) == [Send(fast.worker, slow.shard)]  # idle, while the other is slow
    assert dispatcher.answered(fast.worker, slow.shard, 4.0) == [Accept(slow.shard)]
    assert dispatcher.answered(slow.worker, slow.shard, 4.1) == []  # late
    assert dispatcher.done


def test_answers_from_lost_workers_and_abandoned_sweeps_are_dropped() -> None:
    dispatcher = opened(2)
    old = sent(dispatcher.start(range(3), 0.0))
    new = sent(dispatcher.start(range(3), 1.0))
    assert {send.shard.sweep for send in old} == {1}
    assert {send.shard.sweep for send in new} == {2}
    assert Accept(old[0].shard) not in dispatcher.answered(old[0].worker, old[0].shard, 2.0)
    dispatcher.lost(old[1].worker, "its process died", 2.0)
    assert dispatcher.answered(old[1].worker, new[1].shard, 2.1) == []
    assert not dispatcher.done
