"""How many workers are started and replaced, and what happens when none are left."""

import pytest
from simulated import Costs, Fault
from simulator import Simulation

from distsearch.errors import SettingError, WorkersError
from distsearch.workers.dispatch.instructions import Policy, Say, StartWorker, Stop
from distsearch.workers.dispatch.staff import RestartBudget

from .events import loss, opened, sent


def test_the_restart_budget_refills_one_by_one() -> None:
    budget = RestartBudget(2, 10.0)
    assert [budget.take(now) for now in (100.0, 101.0, 102.0)] == [True, True, False]
    assert budget.next_at == 110.0
    assert not budget.take(109.9)
    assert [budget.take(110.0), budget.take(110.0)] == [True, False]
    assert [budget.take(1000.0) for _ in range(3)] == [True, True, False]


def test_workers_that_cannot_start_are_retried_within_the_budget() -> None:
    cluster = Simulation(Policy(restarts=3, restart_seconds=100.0, wait_for_worker=999.0), Costs(start=1.0), loss=loss)
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


def test_capacity_that_returns_does_not_count_as_a_restart() -> None:
    dispatcher = opened(3, Policy(restarts=0))
    dispatcher.want(2, 1.0)
    assert dispatcher.lost(2, "its node is gone", 2.0) == []
    assert dispatcher.want(3, 3.0) == [StartWorker(3)]
    # but a count that merely flickers earns nothing
    dispatcher.joined(3, 4.0)
    dispatcher.want(2, 5.0)
    dispatcher.want(3, 6.0)
    assert StartWorker(4) not in dispatcher.lost(0, "its process died", 7.0)


def test_a_loss_reported_twice_or_after_dropping_the_worker_counts_once() -> None:
    dispatcher = opened(2, Policy(restarts=5))
    assert dispatcher.lost(1, "its process died", 0.0) == [StartWorker(2)]
    assert dispatcher.lost(1, "its process died", 0.0) == []
    assert dispatcher.joined(1, 0.0) == []
    assert dispatcher.alive == 1


def test_a_policy_that_would_wait_for_ever_is_refused() -> None:
    with pytest.raises(SettingError, match="in_flight: expected a number above 0, got 0"):
        Policy(in_flight=0)
    with pytest.raises(SettingError, match="deadline_floor"):
        Policy(deadline_floor=float("nan"))
    assert Policy(restarts=0).restarts == 0
    with pytest.raises(SettingError, match="restarts: expected a number above 0, got -1"):
        Policy(restarts=-1)


def test_without_workers_it_says_so_once_and_stops_after_the_configured_time() -> None:
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


def test_each_wait_is_timed_separately() -> None:
    dispatcher = opened(1, Policy(wait_for_worker=30.0))
    dispatcher.start(range(11), 0.0)
    dispatcher.lost(0, "its process died", 20.0)
    dispatcher.joined(1, 30.0)
    dispatcher.lost(1, "its process died", 45.0)
    assert dispatcher.tick(51.0) == []
    assert dispatcher.next_deadline() == 75.0


def test_a_worker_that_comes_in_time_ends_the_wait() -> None:
    dispatcher = opened(1, Policy(wait_for_worker=30.0))
    dispatcher.start(range(11), 0.0)
    start, said = dispatcher.lost(0, "its process died", 20.0)
    assert start == StartWorker(1)
    assert isinstance(said, Say)
    assert sent(dispatcher.joined(1, 49.0))
    assert dispatcher.tick(51.0) == []


def test_while_others_hold_all_cores_it_waits_indefinitely_and_says_so_after_a_slow_start() -> None:
    dispatcher = opened(1, Policy(wait_for_worker=30.0))
    assert dispatcher.queued(0.0) == []  # there is nothing to do
    dispatcher.start(range(11), 0.0)
    dispatcher.lost(0, "its node is gone", 20.0)
    assert dispatcher.queued(21.0) == []
    (said,) = dispatcher.queued(36.0)
    assert said == Say("all cores are in use by others: the search continues when one is free")
    assert [dispatcher.queued(now) for now in (37.0, 60.0, 89.0)] == [[], [], []]
    assert dispatcher.tick(118.9) == []
    assert dispatcher.next_deadline() == 119.0
    assert sent(dispatcher.joined(1, 118.95))
    dispatcher.lost(1, "its node is gone", 200.0)  # another wait, which nothing prolongs
    (stop,) = dispatcher.tick(230.0)
    assert isinstance(stop, Stop)
