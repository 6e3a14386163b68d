"""Messages name a setting as it was given: by its flag, or by its place in a configuration file."""

import pytest
from programs import refused

from distsearch.cli.wording import in_flags


@pytest.mark.parametrize(
    ("sentence", "arguments", "words"),
    [
        ("stop.target_accuracy: expected", "run --target-accuracy 0.9", "--target-accuracy: expected"),
        ("workers.count: expected", "run --n-jobs=9999", "--workers: expected"),
        ("data.seed: expected", "submit -- run --data-seed=-1", "--data-seed: expected"),
        ("settings.sigma: expected", "run --sigma -1", "--sigma: expected"),
        ("stop.rounds: expected", "resume mine --rounds 0", "--rounds: expected"),
        ("data.batch: expected at most 10", "run", "--batch: expected at most 10"),
        ("data.batch: expected at most 10", "resume mine", "data.batch: expected at most 10"),
        ("stop.rounds: expected", "run --config my.toml", "stop.rounds: expected"),
        ("stop.rounds: expected", "run --config=my.toml --epochs 0", "--rounds: expected"),
        ("iris.data: expected", "run --data iris.data", "iris.data: expected"),
        ("my/data.seed: expected", "run --data my/data.seed", "my/data.seed: expected"),
        ("stop.unheard: expected", "run", "stop.unheard: expected"),
    ],
)
def test_a_setting_is_named_as_it_was_given(sentence, arguments, words):
    assert in_flags(sentence, arguments.split()) == words


def test_the_command_line_speaks_of_flags_and_of_fields_in_a_file(tmp_path):
    (tmp_path / "my.toml").write_text("[stop]\nrounds = 0\n")
    assert refused("run", "--rounds", "0", cwd=tmp_path) == "--rounds: expected a whole number >= 1, got 0"
    assert refused("run", "--config", "my.toml", cwd=tmp_path) == "stop.rounds: expected a whole number >= 1, got 0"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("run --seed x", "--seed: expected a whole number, got 'x' (the default is 0)"),
        ("run --test-share 20%", "--test-share: expected a number, got '20%' (the default is 0.0)"),
        ("run my.csv 3", "expected options, got 'my.csv': type --data before a file to learn from"),
        ("show mine more", "expected nothing more, got 'more': `distsearch show --help` shows the options"),
        ("predict mine --data x.csv", "--data: expected FILE without an option, as in `distsearch predict RUN FILE`"),
        ("evaluate mine --file x.csv", "unknown option '--file': did you mean '--data'?"),
        ("show --run mine", "--run: expected RUN without an option, as in `distsearch show RUN`"),
        ("resume mine --rounds 2.5", "--rounds: expected a whole number >= 1, got '2.5': `distsearch resume --help`"),
        ("resume mine --seconds=-1", "--seconds: expected a number >= 0, got -1.0: `distsearch resume --help`"),
    ],
)
def test_what_cannot_be_read_is_refused_in_our_words(tmp_path, arguments, sentence):
    assert refused(*arguments.split(), cwd=tmp_path).startswith(sentence)
