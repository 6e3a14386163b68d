"""Columns of numbers with a sign of currency or a unit."""

import json

import msgspec
import pandas as pd
import pytest
from features import read_features

from distsearch.data.datasets import Schema, features_from, from_arrays, load
from distsearch.data.preparation import Encoding
from distsearch.data.spelling import Spelling
from distsearch.errors import DataError


def table(cells, separator=","):
    rows = [f'"{cell}"{separator}{"ab"[index % 2]}' for index, cell in enumerate(cells)]
    return "\n".join([f"v{separator}y", *rows, ""])


@pytest.mark.parametrize(
    ("text", "decimal", "found"),
    [
        ("$5", ".", (5, "$")),
        ("-$1,234.50", ".", (-1234.5, "$")),
        ("($1,234)", ".", (-1234, "$")),
        ("\u2212$5", ".", (-5, "$")),
        ("US$ 5", ".", (5, "US$")),
        ("EUR 5", ".", (5, "EUR")),
        ("1.234,5 €", ",", (1234.5, "€")),
        ("1 234 €", ".", (1234, "€")),
        ("12 kg", ".", (12, "kg")),
        ("10 km/h", ".", (10, "km/h")),
        ("5°C", ".", (5, "°C")),
        ("3 months", ".", (3, "months")),
        ("1.234,5 €", ".", None),  # with a decimal point elsewhere, this is no number
        *(
            (text, ".", None)
            for text in ("5", "$", "A1", "4x4", "0x1F", "1e5", "12:30", "5-", "<5", "01.02.2024", "5%", "(\u22125)")
        ),
    ],
)
def test_a_number_and_its_unit_are_told_apart(text, decimal, found):
    assert Spelling(decimal).with_unit(text) == found


@pytest.mark.parametrize(
    ("content", "values", "said"),
    [
        (
            table(["$5", "$1,250", "($2.5)", "$5"]),
            [5, 1250, -2.5, 5],
            "numbers are read without their unit: 'v' ('$5' is 5)",
        ),
        (table(["1.234,5 €", "2 €", "0,5 €"], ";"), [1234.5, 2, 0.5], "'v' ('1.234,5 €' is 1234.5)"),
        (table(["12 kg"] * 9 + ["7"]), [12] * 9 + [7], "'v' ('12 kg' is 12)"),
    ],
)
def test_columns_of_amounts_are_numbers_and_this_is_said(write, content, values, said):
    data = load(write(content), numbers=False)
    assert data.train.features.tolist() == [[value] for value in values]
    assert said in data.notes[-1]


def test_new_amounts_are_read_as_in_training_and_a_gap_is_filled(write):
    data = load(write(table(["$5", "$1", "", "$9"])), numbers=False)
    schema = Schema.from_json(json.loads(json.dumps(data.schema.to_json())))
    assert data.train.features.tolist() == [[5, 0], [1, 0], [5, 1], [9, 0]]
    assert read_features(write("v\n$7\n8\n\n", "new.csv"), schema).tolist() == [[7, 0], [8, 0]]
    assert features_from(pd.DataFrame({"v": ["$7", None]}), schema).tolist() == [[7, 0], [5, 1]]
    with pytest.raises(DataError, match=r", line 2: expected a number in column 'v', got '€7'; write it as a number"):
        read_features(write("v\n€7\n", "new.csv"), schema)


@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        (
            ["$5", "$7", "€6"],
            ", line 4: expected amounts in one currency, mostly '$', in column 'v', got '€6'; convert",
        ),
        (["$5", "$7"] * 10 + ["free"], ", line 22: expected numbers with '$' in column 'v', got 'free'; write it as a"),
    ],
)
def test_amounts_that_do_not_fit_are_refused(write, cells, sentence):
    with pytest.raises(DataError) as caught:
        load(write(table(cells)), numbers=False)
    assert sentence in str(caught.value)


def test_other_texts_with_digits_stay_categories(write):
    assert load(write(table(["1st", "2nd", "3rd"])), numbers=False).schema.inputs == ("v=1st", "v=2nd", "v=3rd")
    assert load(write(table(["5 kg"] * 3)), numbers=False).schema.inputs == ("v=5 kg",)
    assert load(write(table(["5GB", "9GB", "unlimited"])), numbers=False).schema.inputs[-1] == "v=unlimited"


def test_documents_of_other_columns_are_as_before():
    assert set(msgspec.to_builtins(Encoding("number"))) == {"kind", "fill", "categories", "others"}


def test_amounts_to_be_predicted_are_not_taken_for_classes():
    with pytest.raises(DataError, match=r"expected numbers or classes in target '.*', got amounts such as '\$0\.5'"):
        from_arrays([[index] for index in range(60)], [f"${index}.5" for index in range(60)], numbers=None)


def test_a_column_of_codes_with_leading_zeros_is_pointed_out(write):
    rows = "".join(f"{index * 251:05d},{index * 250},{'ab'[index % 2]}\n" for index in range(40))
    (note,) = load(write("zip,x,y\n" + rows), numbers=False).notes
    assert "column 'zip' is learnt as a number, but '00000' looks like a code: leave it out with --drop zip" in note
