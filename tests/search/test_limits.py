import pytest
from msgspec import structs

from distsearch.config.sections import StopConfig
from distsearch.runs.history import RoundRecord
from distsearch.search.limits import Limits


def row(
    number: int = 0, loss: float = 1.0, seconds: float = 0.0, accuracy=None, test_accuracy=None, passes: float = 0.0
) -> RoundRecord:
    return RoundRecord(number, 0, seconds, loss, loss, False, 0.1, accuracy, test_accuracy, passes=passes)


@pytest.mark.parametrize(
    ("stop", "before", "at", "reason"),
    [
        (StopConfig(), row(998), row(999), "rounds"),
        (StopConfig(rounds=3), row(1), row(2), "rounds"),
        (StopConfig(seconds=2.0), row(5000, seconds=1.9), row(5001, seconds=2.0), "seconds"),
        (StopConfig(evaluations=60), row(0, passes=59.9), row(1, passes=60.0), "evaluations"),
        (StopConfig(target_loss=0.0), row(5000, 0.1), row(5001, 0.0), "target loss"),
        (
            StopConfig(target_accuracy=0.9),
            row(5000, accuracy=0.89),
            row(5001, accuracy=0.9),
            "target accuracy",
        ),
        (
            StopConfig(target_accuracy=0.9),
            row(0, accuracy=0.95, test_accuracy=0.8),
            row(1, accuracy=0.8, test_accuracy=0.9),
            "target accuracy",
        ),
        (StopConfig(target_accuracy=0.9), row(0), row(1, accuracy=1.0), "target accuracy"),
    ],
)
def test_a_limit_is_reached_exactly(stop, before, at, reason):
    limits = Limits(stop)
    assert limits.reached(before) == ""
    assert limits.reached(at) == reason


def test_an_accuracy_is_reached_by_the_best_weights_alone():
    limits = Limits(StopConfig(target_accuracy=0.9), by_measuring=True)
    others = row(0, accuracy=0.95)
    assert limits.reached(others) == ""
    assert limits.reached(structs.replace(others, round=1, accepted=True)) == "target accuracy"


def test_passes_that_add_up_to_a_limit_reach_it():
    spent = sum([0.1] * 10)
    assert spent < 1
    assert Limits(StopConfig(evaluations=1)).reached(row(9, passes=spent)) == "evaluations"


def test_patience_counts_rounds_that_reach_another_limit():
    limits = Limits(StopConfig(patience=2, target_accuracy=0.9), [row(0, accuracy=0.95)])  # it goes on all the same
    assert limits.already == "target accuracy"
    assert [limits.reached(row(number)) for number in (1, 2)] == ["", "patience"]


def test_patience_runs_out_when_the_loss_has_not_fallen_by_a_thousandth():
    limits = Limits(StopConfig(patience=3))
    losses = [1.0, 0.9, 0.8999, 0.8998, 0.8, 0.7999, 0.7998, 0.7997]
    reasons = [limits.reached(row(number, loss)) for number, loss in enumerate(losses)]
    assert reasons == [""] * 7 + ["patience"]


def test_patience_counts_measurements_where_they_choose_the_best():
    limits = Limits(StopConfig(patience=2), by_measuring=True)
    measured = {0: 1.0, 10: 0.5, 20: 0.6, 30: 0.4, 50: 0.4, 70: 0.45}
    lowest, reasons = 1.0, []
    for number in range(71):
        lowest = min(lowest, measured.get(number, 1.0))
        each = row(number, lowest)
        reasons.append(limits.reached(structs.replace(each, train_loss=measured.get(number))))
    assert reasons == [""] * 70 + ["patience"]


def test_slow_but_steady_progress_does_not_exhaust_patience():
    limits = Limits(StopConfig(patience=3))
    assert not any(limits.reached(row(number, 1 - 0.0004 * number)) for number in range(100))
