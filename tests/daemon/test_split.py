"""When a recording goes on in the next file, and what that is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.matroska import open_recording
from daemon.split import Split, parse_split


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("10min", Split(period_s=600)),
        ("90 s", Split(period_s=90)),
        ("1.5h", Split(period_s=5400)),
        ("500MB", Split(size_bytes=500e6)),
        ("2gb", Split(size_bytes=2e9)),
    ],
)
def test_times_and_sizes_parse(text: str, split: Split) -> None:
    assert parse_split(text) == split


@pytest.mark.parametrize(
    "text", ["", "10", "min", "0min", "0.1s", "1kB", "1e3s", "-5min", "1y", "9999999h", True, "∞s"]
)
def test_what_is_neither_time_nor_size_is_told_so(text: object) -> None:
    with pytest.raises(ValueError, match=r"10min.*500MB"):
        parse_split(text)


def test_a_file_is_full_by_the_one_measure_it_was_given() -> None:
    assert [Split(period_s=2).is_due(ms, 10**12) for ms in (-1, 1999, 2000)] == [False, False, True]
    assert [Split(size_bytes=9).is_due(10**9, n) for n in (0, 8, 9)] == [False, False, True]


def test_numbers_go_on_after_the_last_that_is_there(tmp_path: Path) -> None:
    def next_name() -> str:
        file = open_recording(tmp_path / "a.mkv", numbered=True)
        file.path.write_bytes(b"kept")
        file.close()
        return file.path.name

    assert [next_name(), next_name()] == ["a-00001.mkv", "a-00002.mkv"]
    for name in ("a-00041.mkv", "a-77.mkv", "a-00050.csv", "b-00060.mkv", "a-00070-1.mkv"):
        (tmp_path / name).touch()
    assert next_name() == "a-00042.mkv"
    (tmp_path / "a-99999.mkv").touch()
    assert next_name() == "a-100000.mkv"
