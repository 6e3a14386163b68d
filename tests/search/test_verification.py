"""A run is reproduced from its records bit for bit; whatever was changed in it is detected and named."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
from searches import resume, search

from distsearch import strategies
from distsearch.config import from_flags
from distsearch.errors import RunError
from distsearch.runs import checkpoints, documents
from distsearch.runs.directory import StoredRun
from distsearch.runs.history import BEGINNING, HistoryWriter
from distsearch.search import resumption, retrieval, session
from distsearch.search.assembly import assemble
from distsearch.search.interrupts import Interrupts
from distsearch.search.observers import Observer
from distsearch.search.verification import Replay, Verdict, replay, sample, verify
from distsearch.strategies.descent import DescentState

ROUNDS = 30


def made(folder: Path, **flags) -> Path:
    return search(folder, **{"rounds": ROUNDS, "measure_every": 5, **flags})[0].path


def verdict(path: Path, workers: int = 0, chosen=range(1000)) -> Verdict:
    stored = StoredRun(path)
    return verify(Replay(stored), retrieval.own_assembly(stored, workers), chosen, lambda number: None)


def rewrite_history(path: Path, change) -> None:
    """As would someone who also knows how to fix the checksums."""
    entries = [change(entry.record, entry.losses.copy()) for entry in StoredRun(path).entries()]
    writer = HistoryWriter(path, BEGINNING)
    for record, losses in entries:
        writer.append(record, losses)
    writer.flush()
    writer.close()


@pytest.mark.parametrize("strategy", strategies.STRATEGIES.own)
def test_a_run_is_verified(tmp_path, strategy):
    path = made(tmp_path, strategy=strategy, data="iris", test_share=0.2, layers=[4])
    assert verdict(path) == Verdict(path.name, ROUNDS, list(range(ROUNDS)), [])


@pytest.mark.parametrize("batch", [150, 40])
def test_a_run_with_plateaus_is_verified(tmp_path, batch):
    flags = {"schedule": "plateau", "sigma_schedule": "plateau", "plateau_rounds": 5, "rate": 0.5, "batch": batch}
    path = made(tmp_path, strategy="evolution-strategy", data="iris", scale="no", layers=[4], **flags)
    assert StoredRun(path).state(DescentState).plateau.count > 0
    assert verdict(path) == Verdict(path.name, ROUNDS, list(range(ROUNDS)), [])


def test_a_search_for_errors_where_a_class_is_rare_is_verified(tmp_path):
    """Its losses are not those of the name alone, so its largest population is not either."""
    rows = [f"{number % 17},{number % 13},{'ab'[number % 6 == 0]}" for number in range(60)]
    (tmp_path / "a.csv").write_text("\n".join(["x,y,t", *rows]))
    flags = {"data": str(tmp_path / "a.csv"), "layers": [3], "loss": "classification-error", "strategy": "cma-es"}
    path = made(tmp_path / "runs", **flags, validation_share=0)
    assert StoredRun(path).manifest.class_counts == (50, 10)
    assert verdict(path) == Verdict(path.name, ROUNDS, list(range(ROUNDS)), [])


class Interrupting(Observer):
    """Lets a signal come before anything is evaluated."""

    def started(self, state):
        os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("strategy", ["hill-climb", "random-search", "node-perturbation"])
def test_a_run_that_was_interrupted_before_anything_was_evaluated_is_verified(tmp_path, strategy):
    flags = {"data": "iris", "layers": [4], "strategy": strategy, "runs": str(tmp_path), "workers": 0}
    with Interrupts() as interrupts:
        found = session.run(assemble(from_flags(flags)), [Interrupting()], interrupts)
    assert (found.result.rounds, found.result.candidates) == (0, 0)
    assert verdict(found.path).differences == []


@pytest.mark.slow
def test_a_run_is_verified_on_ray(tmp_path, ray_with_three_cpus):
    path = made(tmp_path, data="digits", layers=[64, 32], strategy="hill-climb", population=64, rounds=3)
    assert verdict(path, workers=2) == Verdict(path.name, 3, [0, 1, 2], [])


def test_a_resumed_run_is_verified(tmp_path):
    path = made(tmp_path)
    resume(path, rounds=10, workers=0)
    assert verdict(path, chosen={3, 35}) == Verdict(path.name, 40, [3, 35], [])


@pytest.mark.parametrize("strategy", [name for name, each in strategies.STRATEGIES.own.items() if not each.sums])
def test_the_best_weights_are_recomputed_from_the_seed_and_the_history_alone(tmp_path, strategy):
    """Of a covariance of 400 weights, BLAS would compute parts on several threads."""
    table = tmp_path / "a.csv"
    table.write_text("x,y\n" + "".join(f"{number},{number // 10}\n" for number in range(20)))
    path = made(tmp_path, strategy=strategy, data=str(table), scale=True, layers=[100])
    stored = (path / "best.safetensors").read_bytes()
    for name in (table, path / "best.safetensors", path / "checkpoint.safetensors"):
        name.unlink()
    assert Replay(StoredRun(path)).best_file() == stored


def test_without_recorded_sums_the_best_weights_are_recomputed_from_the_data_too(tmp_path):
    path = made(tmp_path, strategy="node-perturbation", data="digits", batch=64)
    assert replay(StoredRun(path)) == (path / "best.safetensors").read_bytes()


def test_a_changed_loss_is_detected_in_the_rounds_evaluated_again(tmp_path):
    path = made(tmp_path)

    def change(record, losses):
        if record.round == 7:
            losses[losses.argmax()] += 1e-9
        return record, losses

    rewrite_history(path, change)
    (difference,) = verdict(path).differences
    assert difference.startswith("round 7: 1 of 32 losses come out differently, the first that of candidate ")
    assert verdict(path, chosen={1, 2}).differences == []


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("best_loss", 1e-6, "round 7: best loss is recorded as 1e-06, but comes out as "),
        ("accepted", None, "round 7: accepted is recorded as "),
        ("sigma", 0.123, "round 7: sigma is recorded as 0.123, but comes out as "),
        ("center_loss", 0.5, "round 7: center loss is recorded as 0.5, but comes out as "),
        ("non_finite", 3, "round 7: non finite is recorded as 3, but comes out as 0"),
        ("round", 9, "round 7: round is recorded as 9, but comes out as 7"),
    ],
)
def test_a_changed_decision_is_detected_without_evaluating_a_candidate(tmp_path, field, value, sentence):
    path = made(tmp_path)

    def change(record, losses):
        if record.round == 7:
            record = msgspec.structs.replace(record, **{field: not record.accepted if value is None else value})
        return record, losses

    rewrite_history(path, change)
    (difference,) = verdict(path, chosen=()).differences
    assert difference.startswith(sentence)
    if field != "round":
        with pytest.raises(RunError, match="round 7"):
            Replay(StoredRun(path)).best_file()


def test_a_changed_accuracy_is_detected(tmp_path):
    path = made(tmp_path)

    def change(record, losses):
        return (msgspec.structs.replace(record, accuracy=1.0) if record.round == 14 else record), losses

    rewrite_history(path, change)
    (difference,) = verdict(path).differences
    assert difference.startswith("round 14: accuracy is recorded as 1.0, but comes out as 0.")


@pytest.mark.parametrize(
    ("file", "tensor", "sentence"),
    [
        ("best.safetensors", "dense1.weights", "best.safetensors: dense1.weights is not that of round "),
        ("checkpoint.safetensors", "center", "checkpoint.safetensors: center is not that of round 30"),
        ("checkpoint.safetensors", "best.weights", "checkpoint.safetensors: best.weights is not that of round 30"),
    ],
)
def test_changed_weights_are_detected(tmp_path, file, tensor, sentence):
    path = made(tmp_path)
    tensors, scalars = checkpoints.read(path / file)
    tensors[tensor] = np.nextafter(tensors[tensor], np.float32(9))
    (path / file).write_bytes(checkpoints.encode(tensors, scalars))
    (difference,) = verdict(path, chosen=()).differences
    assert difference.startswith(sentence)


def test_weights_of_a_state_that_never_existed_are_detected(tmp_path):
    path = made(tmp_path)
    tensors, scalars = checkpoints.read(path / "best.safetensors")
    (path / "best.safetensors").write_bytes(checkpoints.encode(tensors, {**scalars, "index": 1000}))
    assert verdict(path, chosen=()).differences == ["best.safetensors is of a state that the history does not reach"]


def test_a_changed_result_is_detected(tmp_path):
    path = made(tmp_path)
    result = msgspec.structs.replace(StoredRun(path).result, loss=0.0)
    (path / "result.json").write_bytes(documents.sealed_json(result))
    (difference,) = verdict(path, chosen=()).differences
    assert difference.startswith("result.json: loss is recorded as 0.0, but comes out as ")


def test_rounds_that_another_processor_computed_differently_are_named(tmp_path):
    """OpenBLAS is told to use the kernels of an older processor, which round differently."""
    program = (
        "from searches import search; from pathlib import Path;"
        "search(Path('.'), name='a', data='digits', strategy='hill-climb', layers=[64, 32], rounds=4)"
    )
    places = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "OPENBLAS_CORETYPE": "Nehalem", "PYTHONPATH": os.pathsep.join(places)}
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment, check=True, capture_output=True)
    stored = StoredRun(tmp_path / "a")
    if not resumption.other_machine(stored):
        pytest.skip("NumPy's BLAS here has one kernel only")
    assert "was made with blas" in resumption.other_machine(stored)
    differences = verdict(tmp_path / "a").differences
    assert differences
    assert all(re.match(r"round \d: \d+ of 32 losses come out differently, the first ", each) for each in differences)


def test_a_python_run_of_an_older_version_cannot_be_verified(tmp_path):
    import distsearch

    settings = {"name": "a", "runs": str(tmp_path), "rounds": 3, "workers": 0}
    distsearch.minimize(lambda weights: float(weights @ weights), np.ones(3), **settings)
    (tmp_path / "a" / "start.safetensors").unlink()
    with pytest.raises(RunError, match="from Python by an older distsearch: its initial weights are not kept"):
        Replay(StoredRun(tmp_path / "a"))


@pytest.mark.parametrize(("rounds", "count", "size"), [(0, 5, 0), (1, 5, 1), (2, 0, 2), (100, 16, 16), (10, 16, 10)])
def test_a_sample_of_rounds_includes_both_ends(rounds, count, size):
    drawn = sample(rounds, count)
    assert len(drawn) == size
    assert drawn <= set(range(rounds))
    if rounds:
        assert {0, rounds - 1} <= drawn
