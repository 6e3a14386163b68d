import numpy as np

from distsearch.reports.formats import as_csv


def test_large_numbers_are_written_with_all_of_their_whole_digits():
    numbers = np.array([1732650123.4, -(2.0**53), 1e30, 0.1234567891, 5.0])
    content = b"".join(as_csv([{"y": numbers, "probability": np.full(5, 1 / 3)}])).decode()
    assert [line.split(",")[0] for line in content.splitlines()[1:]] == [
        "1732650123",
        "-9007199254740992",
        "1e+30",
        "0.123456789",
        "5",
    ]
    assert content.splitlines()[1].endswith(",0.333333")
