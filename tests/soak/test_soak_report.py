"""Verdicts and report of a soak, without one."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from tests.net.ends import Reconnect
from tests.net.shown import ShownPicture
from tests.soak.__main__ import main
from tests.soak.overload import verdicts as overload_verdicts
from tests.soak.plot import plot
from tests.soak.report import Result, write_report
from tests.soak.sample import Sample, parse
from tests.soak.steady import stage_lines
from tests.soak.verdict import MET, MISSED, OPEN, Line, of_growth, of_reconnects

FIGURES = {
    "process_memory_bytes": 100 << 20, "process_files": 20, "process_threads": 10,
    "process_tasks": 7, "frames_shown": 250, "latency_ms": {"p50": 80, "p95": 120, "max": 130},
}  # fmt: skip


def viewer(
    memory_per_h: float, *, noise: float = 0.0, files: float = 0.0
) -> dict[str, list[Sample]]:
    """An hour of a viewer, a sample a minute."""
    return {
        "viewer": [
            Sample(60 * n, 100 + memory_per_h * n / 60 + noise * (n % 2), 20 + files * n, 10, 7, n)
            for n in range(60)
        ]
    }


def verdicts(samples: dict[str, list[Sample]]) -> dict[str, str]:
    lines = of_growth(samples, 600, 3600, 1.0, "an hour")
    return {line.what.split(" of ")[0]: line.verdict for line in lines}


def test_what_stays_flat_meets_every_goal() -> None:
    assert set(verdicts(viewer(0.5)).values()) == {MET}


def test_growth_is_seen_in_memory_and_in_counts() -> None:
    found = verdicts(viewer(2.0, files=0.1))
    assert (found["memory"], found["files"], found["tasks"]) == (MISSED, MISSED, MET)


def test_noise_that_hides_growth_is_told() -> None:
    assert verdicts(viewer(0.9, noise=3))["memory"] == OPEN


def test_reconnects_are_judged_by_the_slowest_notice_and_the_95th_picture() -> None:
    back = [Reconnect("viewer", 2.0, 0.5) for _ in range(19)]
    noticed, picture = of_reconnects([*back, Reconnect("viewer", 3.5, math.inf)])
    assert (noticed.verdict, picture.verdict) == (MISSED, MET)
    assert "max inf" in picture.result


def test_figures_of_a_daemon_become_a_sample() -> None:
    assert parse(FIGURES, 5.0) == Sample(5.0, 100.0, 20, 10, 7, 250, 120)


def test_where_the_time_goes_is_told() -> None:
    figures = {"decode_ms": {"p50": 1.25, "p95": 2}, "sink_ms": {"p50": 0, "p95": 1}}
    [line] = stage_lines(figures)
    assert line.result == "decode 1.2 (2.0), sink 0.0 (1.0)"
    assert stage_lines({}) == []


@pytest.mark.parametrize(
    ("ms_per_min", "waits_ms", "expected"),
    [(0, [40, 90], (MET, MET)), (3, [40, 90], (MISSED, MET)), (-3, [120], (MET, MISSED))],
)
def test_an_overload_may_neither_grow_nor_wait(
    ms_per_min: float, waits_ms: list[float], expected: tuple[str, str]
) -> None:
    second_us = 1_000_000
    shown = [
        ShownPicture(n, n * second_us, round(n * (second_us + 1000 * ms_per_min / 60)) + 150_000)
        for n in range(300)
    ]
    waits = [{"max": wait_ms, "p95": 20.0} for wait_ms in waits_ms]
    lines = overload_verdicts(shown, 300, waits)
    assert tuple(line.verdict for line in lines if line.goal) == expected
    assert lines[0].result == "300 shown, 300 dropped: 2.0 times as many came"


def test_the_report_is_written_with_its_plot(tmp_path: Path) -> None:
    lines = [Line("memory", "<= 1", "0", MET)]
    back = [Reconnect("dark", 2.0, math.inf)]
    result = Result("soak", "an hour", "s", 600, viewer(0), back, lines)
    write_report([result], tmp_path)
    plot(result, tmp_path / "soak.png")
    assert "| memory | <= 1 | 0 | met |" in (tmp_path / "report.md").read_text()
    (run,) = json.loads((tmp_path / "report.json").read_text())["runs"]
    assert run["reconnects"][0]["picture_s"] == "never"
    assert (tmp_path / "soak.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    "arguments",
    [["--seconds", "1"], ["--kinds", "sun"], ["--size", "big"], ["--overload", "2", "0"]],
)
def test_a_command_line_without_sense_ends_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
