"""Whole searches through the session, without and with Ray."""

import logging
import math
import os
import signal
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from searches import contents, resume, search

from distsearch import strategies
from distsearch.config import from_flags
from distsearch.errors import SettingError, UserError, WorkersError
from distsearch.search import retrieval, verification
from distsearch.search.assembly import Assembly, assemble
from distsearch.search.data import read_data
from distsearch.search.resumption import stored_model


def test_the_chapter_s_example_is_solved(tmp_path):
    stored, result = search(tmp_path)
    assert result.reason == "rounds"
    assert result.rounds == 1000
    assert result.loss <= 0.205
    assert result.accuracy >= 0.93
    assert len(list(stored.history())) == 1000


SEARCHES = {
    "vertical": {"rounds": 60},
    "digits": {"layers": [16], "rounds": 12, "test_share": 0.2},
    "spiral": {"layers": [8, 8], "rounds": 20, "activation": "step", "loss": "classification-error"},
}
SHARED = [
    (strategy, data, 1 + (number + place) % 3)
    for number, strategy in enumerate(strategies.STRATEGIES.own)
    for place, data in enumerate(SEARCHES)
]
"""Each strategy with each number of workers and with each data set, and each number with each data set.

Of all strategies, one round with each number of workers is in tests/workers/test_pools.py.
"""


@pytest.mark.parametrize(("strategy", "data", "workers"), SHARED)
@pytest.mark.slow
def test_any_number_of_workers_gives_the_same_bytes(tmp_path, ray_with_three_cpus, strategy, data, workers):
    flags = {"strategy": strategy, "data": data, **SEARCHES[data]}
    alone, shared = (search(tmp_path, **flags, workers=count)[0].path for count in (0, workers))
    assert contents(shared) == contents(alone)


@pytest.mark.parametrize(
    "flags",
    [
        {},
        {"data": "digits", "layers": [32], "rounds": 20},
        {"data": "wine", "scale": True},
        {"data": "digits", "layers": [32], "rounds": 20, "strategy": "snes"},
        *(
            {"data": "digits", "layers": [32], "rounds": 20, "strategy": "evolution-strategy", "rank": r}
            for r in (0, 2)
        ),
    ],
    ids=["vertical", "digits", "wine", "snes", "dense pairs", "low-rank pairs"],
)
def test_the_saved_weights_have_exactly_the_recorded_lowest_loss(tmp_path, flags):
    stored, result = search(tmp_path, **flags)
    history = list(stored.history())
    scores = stored_model(stored).scores(read_data(stored.config).train)
    assert scores.loss == result.loss == history[-1].best_loss
    assert scores.accuracy == result.accuracy
    assert min(row.best_loss for row in history) == result.loss
    assert result.loss < history[0].center_loss


@pytest.mark.parametrize(
    ("flags", "every"),
    [
        ({}, 50),  # a round takes less than a millisecond
        ({"data": "digits", "layers": [32]}, 10),
        ({"data": "digits", "layers": [32], "batch": 256, "population": 32}, 5),  # 1797 / (0.05 · 32 · 256)
        ({"measure_every": 3}, 3),
    ],
)
def test_measuring_costs_little_compared_with_the_rounds(flags, every):
    assert assemble(from_flags(flags)).config.output.measure_every == every


@pytest.mark.parametrize(
    ("flags", "per_round"),
    [
        ({"strategy": "hill-climb"}, 32),
        ({"strategy": "hill-climb", "batch": 30}, 32 * 30 / 150),
        ({"strategy": "evolution-strategy", "batch": 30}, 65 * 30 / 150),
        ({"strategy": "node-perturbation"}, 4 + (5 + 3) * 60 * 3 / 43),
        ({"strategy": "node-perturbation", "batch": 30}, (4 + (5 + 3) * 60 * 3 / 43) * 30 / 150),
    ],
)
def test_the_cost_of_a_search_is_counted_in_passes_over_the_training_examples(tmp_path, flags, per_round):
    stored, result = search(tmp_path, data="iris", layers=[5], rounds=4, **flags)
    history = list(stored.history())
    assert [row.passes for row in history] == pytest.approx([per_round * count for count in (1, 2, 3, 4)])
    assert result.passes == history[-1].passes


def test_a_run_records_what_observers_received(tmp_path):
    seen = []
    stored, _ = search(tmp_path, lambda row, state, workers: seen.append((row, workers)), rounds=30, measure_every=7)
    assert [row for row, _ in seen] == list(stored.history())
    assert {workers for _, workers in seen} == {0}
    measured = [row.round for row in stored.history() if row.accuracy is not None]
    assert measured == [6, 13, 20, 27]


def test_measurements_become_rarer_until_they_are_evenly_spaced(tmp_path):
    flags = {"data": "digits", "layers": [4], "strategy": "evolution-strategy", "population": 8, "batch": 32}
    stored, _ = search(tmp_path, rounds=270, measure_every=130, measure_first=15, **flags)
    measured = [row.round + 1 for row in stored.history() if row.train_loss is not None]
    assert measured == [1, 15, 30, 60, 130, 260]
    stored, _ = search(tmp_path, rounds=30, measure_every=13, **flags)
    assert [row.round + 1 for row in stored.history() if row.train_loss is not None] == [1, 13, 26]
    stored, _ = search(tmp_path, rounds=60, measure_every=50, measure_first=40, **flags)
    assert [row.round + 1 for row in stored.history() if row.train_loss is not None] == [1, 40, 50]
    chosen = search(tmp_path, rounds=1, **flags)[0].config.output  # measuring takes 1797 / (9 · 32) rounds
    assert (chosen.measure_every, chosen.measure_first) == (125, 13)


def test_patience_waits_for_measurements_where_only_they_count(tmp_path):
    flags = {"data": "digits", "layers": [16], "scale": True, "strategy": "node-perturbation", "batch": 64}
    stored, result = search(tmp_path, patience=3, rounds=400, measure_every=20, measure_first=20, **flags)
    measured = [row.best_loss for row in stored.history() if row.train_loss is not None]
    assert result.accuracy > 0.97
    assert len(measured) > 10
    assert (result.reason == "patience") == (measured[-4] * (1 - 1e-3) <= measured[-1])


def test_the_checkpoint_is_the_state_after_the_last_round(tmp_path):
    states = []
    stored, _ = search(tmp_path, lambda row, state, workers: states.append(state), rounds=25)
    kept = stored.state(type(states[-1]))
    assert kept.round == 25
    assert kept.sigma == states[-1].sigma
    assert kept.center.tobytes() == states[-1].center.tobytes()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_search_and_keeps_everything(tmp_path, number):
    def watch(row, state, workers):
        if row.round == 20:
            os.kill(os.getpid(), number)

    stored, result = search(tmp_path, watch, seconds=60)
    assert result.reason == "interrupted"
    assert result.rounds == 21
    assert len(list(stored.history())) == 21
    assert stored_model(stored).scores(read_data(stored.config).train).loss == result.loss


def test_a_first_round_longer_than_the_time_limit_is_reported_and_the_run_can_be_resumed(tmp_path, said, monkeypatch):
    clock = iter(range(0, 10**6, 10))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    stored, result = search(tmp_path, data="digits", layers=[64], strategy="hill-climb", population=1000, seconds=30)
    assert (result.reason, result.rounds, list(stored.history())) == ("seconds", 0, [])
    (sentence,) = [each for each in said if each.startswith("not one round was finished in time")]
    assert f"the result is the best of {result.candidates:,} of its 1,000 candidates; allow more seconds" in sentence
    assert 0 < result.candidates < 1000
    monkeypatch.undo()
    dataset = read_data(stored.config)
    assert stored_model(stored).scores(dataset.train).loss == result.loss < math.inf
    verdict = verification.verify(
        verification.Replay(stored), retrieval.own_assembly(stored, 0), (), lambda number: None
    )
    assert verdict.identical
    resume(stored.path, rounds=2)
    assert len(list(stored.history())) == 2


@pytest.mark.slow
def test_a_signal_during_a_round_abandons_the_round(tmp_path, ray_with_three_cpus):
    def watch(row, state, workers):
        if row.round == 3:
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()

    stored, result = search(
        tmp_path, watch, data="digits", layers=[256], strategy="hill-climb", population=200, seconds=60, workers=2
    )
    assert result.reason == "interrupted"
    assert result.rounds == len(list(stored.history())) >= 4


def test_nothing_is_written_before_every_setting_is_checked(tmp_path):
    for flags in (
        {"strategy": "hill"}, {"sigma": -1.0}, {"loss": "los"}, {"activation": "x"}, {"start": "x"}, {"data": "x"},
        {"test_share": 0.999999}, {"rounds": 0}, {"unheard_of": 3},
    ):  # fmt: skip
        with pytest.raises(UserError):
            search(tmp_path / "runs", **flags)
    assert not (tmp_path / "runs").exists()


def test_a_run_whose_workers_cannot_start_leaves_nothing(tmp_path, monkeypatch):
    def refuse(self, done):
        raise WorkersError("no cores")

    monkeypatch.setattr(Assembly, "pool", refuse)
    with pytest.raises(WorkersError, match="no cores"):
        search(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_signal_while_a_search_is_prepared_leaves_nothing(tmp_path, monkeypatch):
    came: list[str] = []

    class Killing(logging.Handler):
        def emit(self, record):
            if not came:
                os.kill(os.getpid(), signal.SIGTERM)
            came.append(record.getMessage())

    log, killing = logging.getLogger("distsearch"), Killing(logging.INFO)
    monkeypatch.setattr(log, "level", logging.INFO)
    monkeypatch.setattr(log, "handlers", [killing])
    log.manager._clear_cache()
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path / "runs", strategy="auto", storage=str(tmp_path / "storage"))
    log.manager._clear_cache()
    assert came
    assert not list((tmp_path / "runs").iterdir())
    assert not [path for path in (tmp_path / "storage").rglob("*") if path.is_file()]


def test_a_signal_while_workers_start_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(self, done):
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("it went on")

    monkeypatch.setattr(Assembly, "pool", interrupted)
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path / "runs", storage=str(tmp_path / "storage"))
    assert not list((tmp_path / "runs").iterdir())
    assert not [path for path in (tmp_path / "storage").rglob("*") if path.is_file()]


@settings(max_examples=15)
@given(
    st.sampled_from(["relu", "tanh", "sigmoid", "step"]),
    st.lists(st.integers(1, 9), max_size=3),
    st.sampled_from(["cross-entropy", "mean-squared-error", "mean-absolute-error", "classification-error"]),
    st.sampled_from(["course", "he", "glorot"]),
    st.booleans(),
)
def test_any_network_and_loss_can_be_trained(tmp_path_factory, activation, layers, loss, start, scale):
    folder = tmp_path_factory.mktemp("runs")
    flags = {"activation": activation, "layers": layers, "loss": loss, "start": start, "scale": scale}
    stored, result = search(folder, data="iris", strategy="hill-climb", rounds=15, test_share=0.2, **flags)
    history = list(stored.history())
    assert result.loss <= history[0].center_loss
    assert result.test_loss >= 0
    assert 0 <= result.test_accuracy <= 1


@pytest.mark.parametrize(("limit", "horizon"), [({"rounds": 70}, 70), ({}, 1000)])
def test_a_cosine_schedule_spans_the_planned_rounds(limit, horizon):
    flags = {"data": "iris", "strategy": "evolution-strategy", "schedule": "cosine", **limit}
    assert assemble(from_flags(flags)).strategy.settings.horizon == horizon


def test_a_cosine_schedule_cannot_span_seconds():
    flags = {"data": "iris", "strategy": "evolution-strategy", "sigma_schedule": "cosine", "seconds": 1.0}
    with pytest.raises(SettingError, match="give --rounds or --horizon, or use the schedule plateau"):
        assemble(from_flags(flags))


@pytest.mark.parametrize(
    ("rate", "sentence"),
    [
        (0.03, "the network has memorised the training examples: on the test examples its loss is "),
        (1e-9, "the network is no better than the same prediction for every example: its loss is "),
    ],
)
def test_what_learns_only_its_own_examples_is_told_from_what_learns_nothing(tmp_path, caplog, rate, sentence):
    rng = np.random.default_rng(0)
    rows = [f"{x:.3f},{y:.3f},{rng.choice(['no', 'yes', 'yes', 'yes'])}" for x, y in rng.normal(size=(60, 2))]
    (tmp_path / "noise.csv").write_text("\n".join(["x,y,label", *rows]))
    flags = {"layers": [32], "strategy": "node-perturbation", "rate": rate, "test_share": 0.5, "rounds": 300}
    _, result = search(tmp_path, data=str(tmp_path / "noise.csv"), **flags)
    assert (result.loss < result.baseline / 2) == (rate > 0.01)
    assert result.test_loss > result.baseline
    (warning,) = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert warning.startswith(sentence)
    assert f"{result.test_loss:.4g}" in warning
