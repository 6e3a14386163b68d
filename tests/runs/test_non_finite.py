"""Whatever the losses are, what a run writes can be read back: infinities and NaN included."""

import json
import math
import shutil
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from programs import succeeded
from searches import resume, search

from distsearch.runs import checkpoints, directory, documents, history
from distsearch.runs.directory import Result, StoredRun
from distsearch.runs.held import Held
from distsearch.runs.history import RoundRecord
from distsearch.search import retrieval
from distsearch.search.verification import Replay, verify
from distsearch.strategies.base import State

numbers = st.floats() | st.sampled_from([math.inf, -math.inf, math.nan])


def filled(kind: type, value: float):
    """A document in which every number has this value, and no text, whole number or flag is missing."""
    held = Held(constraint="f1>=1", examples="train", values={"f1": value}, holds=True)
    plain = {int: 1, str: "a", bool: True, dict[str, float] | None: {"f1": value}, tuple[Held, ...]: (held,)}
    return kind(**{field.name: plain.get(field.type, value) for field in msgspec.structs.fields(kind)})


def strict(content: str | bytes):
    """Standard JSON, without NaN and Infinity."""

    def refuse(constant: str):
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(content, parse_constant=refuse)


def same(first, second) -> bool:
    return repr(first) == repr(second)


@pytest.mark.parametrize("kind", [RoundRecord, Result])
@given(value=numbers)
def test_a_record_is_read_back_whatever_its_numbers(kind, value):
    document = filled(kind, value)
    content = documents.encode(document)
    strict(content)
    assert same(documents.decode(content, kind), document)


@given(value=numbers)
def test_a_sealed_document_is_read_back_whatever_its_numbers(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("sealed") / "result.json"
    path.write_bytes(documents.sealed_json(filled(Result, value)))
    strict(path.read_bytes())
    assert same(documents.read_json(path, Result), filled(Result, value))


def test_nested_non_finite_numbers_are_named():
    assert strict(documents.encode({"a": [math.inf, {"b": (-math.inf, None)}], "c": math.nan, "d": 1.5})) == {
        "a": ["inf", {"b": ["-inf", None]}],
        "c": "nan",
        "d": 1.5,
    }


@pytest.fixture(scope="module")
def huge(tmp_path_factory) -> Path:
    """A folder with a table whose target squares to infinity, and with a run on it."""
    folder = tmp_path_factory.mktemp("huge")
    rows = [f"{number / 50},{number % 7}\n" for number in range(200)]
    rows[149] = "1,3e38\n"
    (folder / "huge.csv").write_text("x,y\n" + "".join(rows))
    flags = {"data": str(folder / "huge.csv"), "loss": "mean-squared-error", "batch": 16, "rounds": 3, "scale": "no"}
    flags |= {"strategy": "hill-climb", "layers": [3]}
    search(folder / "runs", name="huge", **flags)
    return folder


def test_a_run_with_an_infinite_best_loss_is_kept(huge):
    stored = StoredRun(huge / "runs" / "huge")
    lines = list(map(strict, (stored.path / "history.jsonl").read_text().splitlines()))
    assert [line["best_loss"] for line in lines] == ["inf"] * 3
    assert [row.best_loss for row in stored.history()] == [math.inf] * 3
    assert [row.train_loss for row in stored.history()][:2] == [math.inf] * 2
    assert stored.result is not None
    assert stored.result.loss == math.inf
    assert stored.state(State).best.loss == math.inf


COMMANDS = [
    "show huge --json",
    "show huge",
    "list",
    "evaluate huge --json",
    "verify huge --rounds all --json",
    "resume huge --rounds 1 --workers 0 --json",
    "compare --strategies hill-climb --seeds 2 --data huge.csv --loss mean-squared-error --batch 16 --rounds 2 "
    "--scale no --workers 0 --json",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_reads_it_and_prints_strict_json(huge, tmp_path, command):
    shutil.copytree(huge, tmp_path, dirs_exist_ok=True)
    done = succeeded(*command.split(), cwd=tmp_path)
    if "--json" in command:
        strict(done.stdout)
    assert command.startswith("verify") or "inf" in done.stdout


@pytest.mark.parametrize(
    "flags",
    [
        {"loss": "mean-squared-error", "strategy": "snes", "batch": 16},
        {"loss": "mean-squared-error", "strategy": "node-perturbation", "batch": 16},
        {"loss": "cross-entropy", "strategy": "hill-climb", "batch": 16, "start": "he"},
    ],
)
def test_it_is_verified_and_resumed(tmp_path, flags):
    """The outputs of a huge feature make the cross-entropy NaN."""
    rows = [f"{number / 50},{number % 7}\n" for number in range(200)]
    rows[149] = "3e38,3e38\n" if flags["loss"] == "mean-squared-error" else "3e38,3\n"
    (tmp_path / "data.csv").write_text("x,y\n" + "".join(rows))
    path = search(tmp_path / "runs", data=str(tmp_path / "data.csv"), scale="no", rounds=3, measure_every=1, **flags)[
        0
    ].path
    measured = {row.train_loss for row in StoredRun(path).history()}
    assert not any(map(math.isfinite, measured))
    resume(path, rounds=1, workers=0)
    stored = StoredRun(path)
    found = verify(Replay(stored), retrieval.own_assembly(stored, 0), range(4), lambda number: None)
    assert (found.rounds, found.differences) == (4, [])


def test_a_changed_non_finite_loss_is_detected(huge, tmp_path):
    path = shutil.copytree(huge / "runs" / "huge", tmp_path / "huge")
    entries = list(StoredRun(path).entries())
    writer = history.HistoryWriter(path, history.BEGINNING)
    for record, losses, _ in entries:
        writer.append(msgspec.structs.replace(record, best_loss=math.nan), losses)
    writer.flush()
    writer.close()
    stored = StoredRun(path)
    found = verify(Replay(stored), retrieval.own_assembly(stored, 0), range(3), lambda number: None)
    assert "round 0: best loss is recorded as nan, but comes out as inf" in found.differences


def test_candidates_without_a_finite_loss_are_counted_across_rounds_and_resumes(tmp_path):
    """Candidates of a huge step overflow."""
    flags = {"strategy": "random-search", "sigma": 9e5, "layers": [8] * 7, "start": "he"}
    stored, result = search(tmp_path, rounds=3, **flags)
    counted = [row.non_finite for row in stored.history()]
    assert sum(count > 0 for count in counted) > 1
    assert result.non_finite == sum(counted) < 3 * 32
    resume(stored.path, rounds=2, workers=0)
    rows = list(stored.history())
    assert stored.result.non_finite == sum(row.non_finite for row in rows) > result.non_finite


def test_histories_of_format_1_are_read(huge, tmp_path):
    """It wrote null for a loss that was not finite: the center's loss is candidate 0's, the best one was infinite."""
    path = shutil.copytree(huge / "runs" / "huge", tmp_path / "huge")
    entries = [(entry.record, entry.losses.copy()) for entry in StoredRun(path).entries()]
    lines, check = b"", 0
    for record, losses in entries:
        losses[0] = math.nan
        document = {**msgspec.to_builtins(record), "center_loss": None, "best_loss": None}
        body = msgspec.json.encode(document)
        check = history._checksum(check, losses.tobytes(), body)
        lines += body[:-1] + history._CHECK % check
    assert b'"best_loss":null' in lines
    (path / history.HISTORY).write_bytes(lines)
    (path / history.LOSSES).write_bytes(b"".join(losses.tobytes() for _, losses in entries))
    rows = list(StoredRun(path).history())
    assert [row.best_loss for row in rows] == [math.inf] * 3
    assert all(math.isnan(row.center_loss) for row in rows)

    result = msgspec.to_builtins(StoredRun(path).result) | {"loss": None}
    sealed = msgspec.json.encode({**result, "checksum": documents.checksum(msgspec.json.encode(result))})
    (path / directory.RESULT).write_bytes(sealed)
    assert StoredRun(path).result == StoredRun(huge / "runs" / "huge").result


def test_best_weights_of_format_1_from_before_the_first_round_are_verified(huge, tmp_path):
    path = shutil.copytree(huge / "runs" / "huge", tmp_path / "huge")
    tensors, scalars = checkpoints.read(path / directory.BEST)
    assert scalars["loss"] == "inf"
    (path / directory.BEST).write_bytes(checkpoints.encode(tensors, {**scalars, "loss": None}))
    stored = StoredRun(path)
    found = verify(Replay(stored), retrieval.own_assembly(stored, 0), (), lambda number: None)
    assert found.differences == []
