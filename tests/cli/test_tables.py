import pytest
from rich.cells import cell_len

from distsearch.cli.tables import history_lines
from distsearch.runs.history import RoundRecord

METRICS = {"recall": 0.791123, "test-recall": 0.5, "validation-recall": 0.25}


def rounds(**figures) -> list[RoundRecord]:
    return [RoundRecord(n, n + 1, 1.5, 0.693019, 0.366466, False, 0.3, passes=1588.0, **figures) for n in range(40)]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_history_fits_the_terminal_and_cuts_no_number(width):
    lines = history_lines(rounds(accuracy=0.8419, test_accuracy=0.8267, metrics=METRICS), width)
    assert max(map(cell_len, lines)) <= width
    assert all("0.693019" in line and "0.366466" in line for line in lines[1:])


def test_a_metric_that_has_a_column_already_is_in_it():
    lines = history_lines(rounds(accuracy=0.8419, metrics={"accuracy": 0.8419, "recall": 0.5}), 200)
    assert lines[0].split().count("accuracy") == 1
    assert lines[-1].split()[-2:] == ["84.19%", "0.5"]


def test_metrics_on_other_examples_leave_first():
    history = rounds(metrics=METRICS)
    heading = history_lines(history, 200)[0]
    assert heading.split() == [*["round", "passes", "seconds", "center", "loss", "best", "loss", "step"], *METRICS]
    without = history_lines(history, cell_len(heading) - 1)[0].split()
    assert set(heading.split()) - set(without) == {"validation-recall"}
