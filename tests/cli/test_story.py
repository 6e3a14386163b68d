"""`run --chapter` and `run --story`: lines that say what was tried and whether it was accepted."""

import json
import re

import pytest
from programs import ran, refused, succeeded

STORY = re.compile(r"round (\d+): .* is ([\d.]+), the best so far ([\d.]+): (accepted|as good: accepted|reverted)")
FOUND = re.compile(r"New set of weights found, iteration: (\d+) loss: ([\d.]+) acc: ([\d.]+)")


def history(folder):
    return [json.loads(line) for line in next(folder.glob("runs/*/history.jsonl")).read_text().splitlines()]


def test_the_story_agrees_with_the_history_in_every_round(tmp_path):
    told = succeeded("run", "--workers", "0", "--rounds", "30", "--population", "3", "--story", cwd=tmp_path).stderr
    rows, lines = history(tmp_path), STORY.findall(told)
    assert [int(number) for number, *_ in lines] == list(range(30))
    assert {end for *_, end in lines} == {"accepted", "reverted"}
    for row, (_, lowest, best, end) in zip(rows[1:], lines[1:], strict=True):
        assert (end == "accepted") == row["accepted"] == (float(lowest) < float(best))
        assert float(lowest if row["accepted"] else best) == pytest.approx(row["best_loss"], abs=1e-6)


def test_where_others_choose_the_best_the_story_is_of_the_center(tmp_path):
    flags = ["--data", "digits", "--layers", "4", "--validation-share", "0.2", "--sigma", "0.2", "--workers", "0"]
    told = succeeded("run", *flags, "--strategy", "hill-climb", "--rounds", "30", "--story", cwd=tmp_path).stderr
    lines = re.findall(r"round \d+: .* is ([\d.]+), the center's ([\d.]+): (accepted|reverted)", told)
    centers = [row["center_loss"] for row in history(tmp_path)]
    assert {end for *_, end in lines} == {"accepted", "reverted"}
    for (lowest, center, end), here, after in zip(lines, centers, centers[1:], strict=False):
        assert float(center) == pytest.approx(here, abs=1e-6)
        assert float(lowest if end == "accepted" else center) == pytest.approx(after, rel=1e-5)
    refusal = refused("run", *flags, "--strategy", "random-search", "--story", cwd=tmp_path)
    assert "expected --strategy hill-climb where validation examples, batches or constraints choose" in refusal


def test_the_chapter_prints_a_line_for_each_new_best(tmp_path):
    told = succeeded("run", "--chapter", "--rounds", "60", cwd=tmp_path).stderr
    rows, lines = history(tmp_path), FOUND.findall(told)
    assert [int(number) for number, *_ in lines] == [row["round"] for row in rows if row["accepted"]]
    assert len(lines) > 5
    assert {row["sigma"] for row in rows} == {0.05}
    losses = [float(loss) for _, loss, _ in lines]
    assert losses == sorted(losses, reverse=True)
    assert rows[-1]["candidates"] == 120  # the center and one other in each round


def test_strategies_that_never_revert_have_no_story(tmp_path):
    done = ran("run", "--strategy", "snes", "--workers", "0", "--story", cwd=tmp_path)
    assert done.returncode == 2
    assert "expected --strategy hill-climb or random-search, got snes" in done.stderr
    assert not list(tmp_path.glob("runs/*"))
    assert "leave out --chapter or --strategy snes" in refused("run", "--chapter", "--strategy", "snes", cwd=tmp_path)


def test_a_file_s_settings_for_another_strategy_are_dropped_with_a_note(tmp_path):
    (tmp_path / "search.toml").write_text(succeeded("config", "--ladder", "2", "--seed", "5", cwd=tmp_path).stdout)
    flags = ["--strategy", "snes", "--workers", "0", "--rounds", "2", "--name", "a"]
    told = succeeded("run", "--config", "search.toml", *flags, cwd=tmp_path).stderr
    assert "left out of search.toml, as snes has no such settings: adapt, ladder" in told
    assert "seed 5" in told
