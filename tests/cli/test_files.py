"""Tables as people have them, through every command."""

import csv
import io
import json
from pathlib import Path

import pytest
from programs import refused, succeeded

from distsearch.randomness import Stream, noise

SHORT = ["--workers", "0", "--rounds", "150", "--layers", "4", "--start", "he", "--name", "a"]


def table(path: Path, header: str, *columns) -> str:
    """The path of a table with these columns, each a function of the row's two random numbers."""
    points = noise(3, Stream.DATA, 0, 0, 60, 2).tolist()
    rows = (",".join(str(column(*point)) for column in columns) for point in points)
    path.write_text(header + "".join(f"{row}\n" for row in rows))
    return str(path)


def first(x, y) -> str:
    return f"{x:.3f}"


def second(x, y) -> str:
    return f"{y:.3f}"


def predicted(folder: Path, data: str) -> list[str]:
    text = succeeded("predict", "a", data, cwd=folder).stdout
    return [row[0] for row in csv.reader(io.StringIO(text))][1:]


def labels(path: str) -> list[str]:
    rows = csv.reader(Path(path).read_text().splitlines(), skipinitialspace=True)
    return [row[-1] for row in rows][1:]


@pytest.mark.parametrize("names", [("01234", "98101"), ("1", "1.0"), ("no", "yes")])
def test_labels_keep_their_spelling_and_the_accuracy_is_as_reported(tmp_path, names):
    data = table(tmp_path / "data.csv", "a,b,zip\n", first, second, lambda x, y: names[x > 0])
    result = json.loads(succeeded("run", "--data", data, *SHORT, "--json", cwd=tmp_path).stdout)
    found = predicted(tmp_path, data)
    assert set(found) == set(names)
    assert sum(map(str.__eq__, found, labels(data))) / 60 == result["accuracy"] > 0.9


def test_many_different_numbers_make_a_regression_and_a_note_says_so(tmp_path):
    data = table(tmp_path / "price.csv", "a,b,price\n", first, second, lambda x, y: round(1e5 + 1e4 * x + 1e3 * y))
    done = succeeded("run", "--data", data, *SHORT, cwd=tmp_path)
    assert (
        "the target 'price' has 60 different numbers, which are learnt as numbers (mean squared error)" in done.stderr
    )
    sentence = refused("run", "--data", data, "--loss", "cross-entropy", "--workers", "0", cwd=tmp_path)
    assert "the target has 60 distinct whole numbers" in sentence
    assert "--loss mean-squared-error" in sentence


def test_a_missing_numeric_target_is_refused_with_its_line_and_column(tmp_path):
    data = table(tmp_path / "na.csv", "a,b,y\n", first, second, lambda x, y: "NA" if x > 1 else int(x > 0))
    line = labels(data).index("NA") + 2
    sentence = refused("run", "--data", data, "--workers", "0", cwd=tmp_path)
    assert f"line {line}: expected a target in column 'y', got 'NA'" in sentence


def test_quotes_after_spaces_are_not_part_of_labels_and_names(tmp_path):
    data = table(
        tmp_path / "data.csv", 'a, b, "y"\n', first, lambda x, y: f" {y:.3f}", lambda x, y: f' "{["no", "yes"][x > 0]}"'
    )
    result = json.loads(succeeded("run", "--data", data, "--target", "y", *SHORT, "--json", cwd=tmp_path).stdout)
    assert set(predicted(tmp_path, data)) == {"no", "yes"}
    assert result["accuracy"] > 0.9


def test_true_and_false_features_are_1_and_0(tmp_path):
    data = table(tmp_path / "data.csv", "a,b,y\n", first, lambda x, y: y > 0, lambda x, y: int(x > 0))
    assert json.loads(succeeded("run", "--data", data, *SHORT, "--json", cwd=tmp_path).stdout)["accuracy"] > 0.9
    assert len(predicted(tmp_path, data)) == 60


def test_without_a_header_the_first_line_is_an_example_and_a_note_says_so(tmp_path):
    data = table(tmp_path / "data.csv", "", first, second, lambda x, y: ["no", "yes"][x > 0])
    done = succeeded("run", "--data", data, *SHORT, "--json", cwd=tmp_path)
    assert "its first line is read as an example" in done.stderr
    assert json.loads(succeeded("evaluate", "a", "--json", cwd=tmp_path).stdout)["train"]["examples"] == 60
    assert len(predicted(tmp_path, data)) == 60


def test_times_keep_all_their_digits_when_standardised(tmp_path):
    lines = "".join(f"{1_700_000_000 + second},{int(second >= 60)}\n" for second in range(120))
    (tmp_path / "times.csv").write_text("time,y\n" + lines)
    done = succeeded("run", "--data", "times.csv", "--scale", *SHORT, "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["accuracy"] == 1.0


def test_a_target_accuracy_is_refused_in_a_regression(tmp_path):
    data = table(tmp_path / "price.csv", "a,b,price\n", first, second, lambda x, y: round(x + y, 3))
    command = [
        "--data",
        data,
        "--loss",
        "mean-squared-error",
        "--target-accuracy",
        "0.9",
        "--workers",
        "0",
        "--rounds",
        "1",
    ]
    for start in (["run"], ["compare", "--strategies", "hill-climb,snes", "--seeds", "1"]):
        assert "--target-accuracy: expected a classification" in refused(*start, *command, cwd=tmp_path)
