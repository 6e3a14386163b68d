"""When a shard is slow or late, who takes it over, and when a worker is dropped."""

from distsearch.workers.dispatch.dispatcher import Dispatcher
from distsearch.workers.dispatch.instructions import Accept, GiveUp, Instruction, Policy, Send, StartWorker, Stop

from .events import finish, measured, opened, sent


def test_a_deadline_starts_when_the_shard_reaches_the_head_of_the_queue() -> None:
    dispatcher = measured(2, Policy(backup_factor=9.0, deadline_factor=4.0))
    sends = sent(dispatcher.start(range(33), 1.0))  # two shards of two tiles each
    first, second = [send.shard for send in sends if send.worker == 0]
    assert (first.hi - first.lo, second.hi - second.lo) == (2, 1)
    dispatcher.lost(1, "its process died", 1.0)
    assert dispatcher.next_deadline() == 9.0
    dispatcher.answered(0, first, 8.0)
    assert dispatcher.next_deadline() == 12.0


def test_a_stall_does_not_make_short_work_late() -> None:
    policy = Policy(backup_floor=0.25, deadline_floor=2.0)
    dispatcher = opened(1, policy)
    (send,) = sent(dispatcher.start(range(2), 0.0))
    dispatcher.answered(0, send.shard, 0.001)
    dispatcher.start(range(2), 1.0)
    assert dispatcher.next_deadline() == 1.25
    assert dispatcher.tick(1.25) == []
    assert dispatcher.next_deadline() == 3.0


def test_a_busy_driver_does_not_blame_the_workers() -> None:
    dispatcher = measured(3)
    sends = sent(dispatcher.start(range(4), 1.0))
    for send in sends:  # all had been ready long before
        assert dispatcher.answered(send.worker, send.shard, 500.0) == [Accept(send.shard)]
    assert dispatcher.tick(500.0) == []


def test_answers_out_of_order_do_not_distort_the_pace() -> None:
    dispatcher = measured(1)
    first, second = sent(dispatcher.start(range(10), 1.0))
    assert (first.shard.hi, second.shard.hi) == (1, 2)
    dispatcher.answered(0, second.shard, 5.0)  # its start is unknown
    dispatcher.answered(0, first.shard, 6.0)  # after 5 s, and the one before took 1 s
    assert dispatcher.next_deadline() == 6.0 + 2 * 5.0


def test_the_pace_uses_the_worker_s_clock_if_it_is_reported() -> None:
    dispatcher = measured(1)
    first, second = sent(dispatcher.start(range(10), 1.0))
    dispatcher.answered(0, first.shard, 100.0, seconds=3.0)  # the driver was busy
    dispatcher.answered(0, second.shard, 100.0, seconds=3.0)
    assert dispatcher.next_deadline() == 100.0 + 2 * 3.0


def test_a_late_shard_takes_the_queue_behind_it_along_each_time() -> None:
    dispatcher = measured(2, Policy(restarts=0))
    for begin in (100.0, 200.0):
        sends = sent(dispatcher.start(range(33), begin))
        stuck = [send for send in sends if send.worker == 0]
        mine = [send for send in sends if send.worker == 1]
        dispatcher.tick(begin + 70.0)
        taken = finish(dispatcher, mine, begin + 71.0)
        assert taken[:2] == [send.shard for send in stuck]
        assert len(taken) == len(set(taken))
        assert dispatcher.done
        finish(dispatcher, stuck, begin + 71.0)


def test_a_late_shard_that_is_then_lost_is_sent_once() -> None:
    dispatcher = measured(3, Policy(in_flight=1, restarts=0))
    stuck, *others = sent(dispatcher.start(range(49), 1.0))
    running = [sent(dispatcher.answered(send.worker, send.shard, 8.0))[0] for send in others]
    dispatcher.tick(9.0)
    dispatcher.lost(stuck.worker, "its process died", 9.0)
    shards = [sent(dispatcher.answered(send.worker, send.shard, 10.0))[0].shard for send in running]
    assert shards[0] == stuck.shard
    assert shards[1] != stuck.shard


def test_a_slow_shard_of_a_lost_worker_starts_afresh() -> None:
    dispatcher = measured(3, Policy(restarts=0))
    first, second, third = sent(dispatcher.start(range(4), 1.0))
    dispatcher.tick(3.0)
    dispatcher.lost(first.worker, "its process died", 3.0)
    again = Send(second.worker, first.shard)
    assert sent(dispatcher.answered(second.worker, second.shard, 3.1)) == [again]
    assert sent(dispatcher.answered(third.worker, third.shard, 3.2)) == []
    assert sent(dispatcher.tick(5.2)) == [Send(third.worker, first.shard)]


def test_nothing_is_queued_behind_a_slow_shard() -> None:
    dispatcher = measured(3, Policy(restarts=0))
    first, second, third = sent(dispatcher.start(range(4), 1.0))
    assert dispatcher.tick(3.0) == []  # all are slow and none is idle
    assert sent(dispatcher.lost(third.worker, "its process died", 3.0)) == []
    freed = dispatcher.answered(first.worker, first.shard, 3.1)
    assert freed == [
        Accept(first.shard),
        Send(first.worker, third.shard),
    ]
    assert second.worker != first.worker


def test_a_slow_worker_gets_nothing_more_until_it_answers() -> None:
    dispatcher = measured(2)
    sends = sent(dispatcher.start(range(33), 1.0))
    runs, behind = [send.shard for send in sends if send.worker == 0]
    dispatcher.tick(5.0)
    assert dispatcher.answered(0, behind, 5.0) == [Accept(behind)]
    assert len(sent(dispatcher.answered(0, runs, 5.1))) == 2


def test_a_slow_shard_is_repeated_once_for_each_worker_slow_on_it() -> None:
    dispatcher = measured(4)
    sends = sent(dispatcher.start(range(5), 1.0))
    slow, *others = sends
    for send in others:
        dispatcher.answered(send.worker, send.shard, 2.0)
    (second,) = sent(dispatcher.tick(3.0))
    assert second.shard == slow.shard
    assert sent(dispatcher.tick(4.9)) == []
    (third,) = sent(dispatcher.tick(5.0))  # the first is late, which is no reason for more, though the second is slow
    assert sent(dispatcher.tick(8.9)) == []  # the shard itself may be slow, so now wait longer
    (fourth,) = sent(dispatcher.tick(9.0))
    assert third.shard == fourth.shard == slow.shard
    assert len({slow.worker, second.worker, third.worker, fourth.worker}) == 4


def test_a_shard_taken_over_in_time_is_not_taken_over_again() -> None:
    dispatcher = measured(3, Policy(in_flight=1))
    first, second, third = sent(dispatcher.start(range(4), 1.0))
    dispatcher.tick(3.0)
    dispatcher.tick(5.0)  # all are late
    (again,) = sent(dispatcher.answered(second.worker, second.shard, 5.1))
    rest = {first.worker: first, third.worker: third}
    (other,) = [send for send in rest.values() if send.shard != again.shard]
    # The worker that answers now is idle; the rest is late at one worker, but another has just started on it.
    assert dispatcher.answered(other.worker, other.shard, 5.2) == [Accept(other.shard)]
    assert dispatcher.tick(5.2) == []


def overtaken(dispatcher: Dispatcher, begin: float, answer_after: float) -> list[Instruction]:
    """Two workers and two tiles of one second; 0 is slow, so 1 does the work of both."""
    sends = {send.worker: send.shard for send in sent(dispatcher.start(range(3), begin))}
    dispatcher.answered(1, sends[1], begin + 1.0)
    dispatcher.tick(begin + 2.0)
    dispatcher.answered(1, sends[0], begin + 3.0)
    for seconds in range(4, int(answer_after)):
        if gone := [order for order in dispatcher.tick(begin + seconds) if isinstance(order, GiveUp)]:
            return [gone[0]]
    return dispatcher.answered(0, sends[0], begin + answer_after)


def test_a_worker_is_late_once_for_each_deadline_that_others_met() -> None:
    dispatcher = measured(2)
    assert overtaken(dispatcher, 100.0, 5.0) == []
    assert overtaken(dispatcher, 200.0, 5.0) == []
    assert isinstance(overtaken(dispatcher, 300.0, 5.0)[0], GiveUp)
    dispatcher = measured(2)
    assert overtaken(dispatcher, 100.0, 5.0) == []
    assert overtaken(dispatcher, 200.0, 5.0) == []
    assert overtaken(dispatcher, 250.0, 3.9) == []  # overtaken, but not late
    assert overtaken(dispatcher, 300.0, 5.0) == []
    assert overtaken(dispatcher, 400.0, 5.0) == []
    dispatcher = measured(2)
    assert overtaken(dispatcher, 100.0, 99.0) == [GiveUp(0, "it was late 3 times in a row")]


def test_the_last_worker_is_kept_however_late_it_is() -> None:
    dispatcher = measured(2, Policy(restarts=0))
    overtaken(dispatcher, 100.0, 5.0)
    overtaken(dispatcher, 200.0, 5.0)
    sends = {send.worker: send.shard for send in sent(dispatcher.start(range(3), 300.0))}
    dispatcher.answered(1, sends[1], 301.0)
    dispatcher.tick(302.0)
    dispatcher.answered(1, sends[0], 303.0)
    dispatcher.tick(304.0)
    dispatcher.lost(1, "its process died", 304.5)
    assert dispatcher.answered(0, sends[0], 305.0) == []
    assert dispatcher.alive == 1


def test_lateness_is_forgiven_when_no_worker_was_faster() -> None:
    dispatcher = measured(2)
    for begin in (100.0, 200.0, 300.0, 400.0, 500.0):
        sends = sent(dispatcher.start(range(3), begin))
        assert not any(isinstance(order, GiveUp) for order in dispatcher.tick(begin + 50.0))
        for send in sends:  # both have become slow
            assert Accept(send.shard) in dispatcher.answered(send.worker, send.shard, begin + 50.0)
    assert dispatcher.alive == 2


def test_a_silent_worker_is_replaced_if_another_can_start_and_later_each_time() -> None:
    dispatcher = measured(1, Policy(restarts=1, first_deadline=60.0))
    dispatcher.start(range(2), 100.0)
    now = 100.0
    while not (orders := dispatcher.tick(now)):
        assert now < 170.0
        now = dispatcher.next_deadline() or 0.0
    assert now >= 160.0
    assert orders[0] == GiveUp(0, f"it was silent for {now - 100.0:.0f} s")
    assert StartWorker(1) in orders
    dispatcher.joined(1, 200.0)  # one restart came back
    now = 200.0
    while not (orders := dispatcher.tick(now)):
        assert now < 340.0
        now = dispatcher.next_deadline() or 0.0
    assert now >= 320.0  # twice as long
    dispatcher.joined(2, 340.0)
    dispatcher.want(0, 340.0)
    assert dispatcher.tick(9999.0) == []  # no worker could take its place


def test_without_restarts_silent_workers_are_waited_for() -> None:
    dispatcher = measured(1, Policy(restarts=0))
    (send,) = sent(dispatcher.start(range(2), 100.0))
    assert dispatcher.tick(5000.0) == []
    assert dispatcher.answered(0, send.shard, 6000.0) == [Accept(send.shard)]


def test_stop_is_the_last_instruction_whatever_else_is_due() -> None:
    dispatcher = measured(2, Policy(deaths_before_stop=1, first_deadline=15.0))
    sends = {send.worker: send.shard for send in sent(dispatcher.start(range(3), 100.0))}
    dispatcher.answered(1, sends[1], 101.0)
    dispatcher.tick(102.0)
    dispatcher.answered(1, sends[0], 103.0)
    dispatcher.tick(104.0)
    dispatcher.tick(108.0)
    dispatcher.start(range(2), 110.0)
    dispatcher.tick(112.0)  # 0 has been late twice, and 1 is slow
    orders = dispatcher.tick(140.0)
    assert [order.worker for order in orders if isinstance(order, GiveUp)] == [1, 0]
    assert isinstance(orders[-1], Stop)
