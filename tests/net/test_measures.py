"""Figures of a run, from made logs whose figures are known."""

from __future__ import annotations

from math import inf
from pathlib import Path

import pytest

from tests.net import shown
from tests.net.flow import Flow
from tests.net.goals import Goal, at_least, at_most
from tests.net.knobs import Knobs
from tests.net.link_model import HEADER_BYTES, Drop, Passage
from tests.net.matrix import matrix
from tests.net.measures import Evidence, Measures, Span, freezes, measure
from tests.net.schedule import CLEAN, Phase, Schedule
from tests.net.shown import ShownPicture

FPS, INTERVAL_US = 25.0, 40_000
START_US = 1_000_000
LATENCY_US = 70_000


def picture(number: int, latency_us: int = LATENCY_US) -> ShownPicture:
    captured_us = START_US + number * INTERVAL_US
    return ShownPicture(number, captured_us, captured_us + latency_us)


def evidence(pictures: list[ShownPicture], seconds: float = 10.0, **changes: object) -> Evidence:
    given: dict[str, object] = {
        "shown": pictures,
        "window": Span(START_US, START_US + round(seconds * 1e6)),
        "fps": FPS,
        "up": Flow(),
        "link_clock_us": 0,
        "schedule": CLEAN,
        "bitrate_bps": 1_000_000,
        "offered_us": START_US - 500_000,
        "connected_us": START_US - 200_000,
        "sessions": 1,
        "undecodable": 0,
        "skipped": 5,
        "disturbed": None,
    }
    return Evidence(**{**given, **changes})  # type: ignore[arg-type]


def test_everything_shown_on_time_has_no_freeze() -> None:
    result = measure(evidence([picture(number) for number in range(-5, 260)]))
    assert (result.shown_percent, result.freezes, result.freeze_percent) == (100, 0, 0)
    assert result.latency_p50_ms == result.latency_p95_ms == 70
    assert result.skipped_percent == 2  # 5 of 250
    assert result.recover_ms is result.added_queue_ms is result.capacity_used_percent is None


def test_a_gap_of_four_frames_is_no_freeze_and_one_of_five_is() -> None:
    def gaps(missing: int) -> list[Span]:
        kept = [n for n in range(-5, 260) if not 100 <= n < 100 + missing]
        return freezes([picture(n) for n in kept], Span(START_US, START_US + 10_000_000), FPS)

    assert gaps(3) == []  # 160 ms; the limit is 40 + 150
    [gap] = gaps(4)
    assert gap.end_us - gap.start_us == 5 * INTERVAL_US


def test_nothing_shown_is_one_freeze_of_the_whole_window() -> None:
    result = measure(evidence([]))
    assert (result.freezes, result.freeze_percent, result.longest_freeze_ms) == (1, 100, 10_000)
    assert result.shown_percent == 0
    assert result.latency_p95_ms is result.first_picture_ms is None


def test_a_picture_that_is_shown_twice_counts_once() -> None:
    assert measure(evidence([picture(n // 2) for n in range(250)])).shown_percent == 50


def test_times_to_connect_and_to_the_first_picture_count_from_the_offer() -> None:
    result = measure(evidence([picture(n) for n in range(5, 250)]))
    assert (result.connect_ms, result.first_picture_ms) == (300, 770)


def test_recovery_counts_from_the_end_of_the_blackout() -> None:
    dark = Span(START_US + 2_000_000, START_US + 4_000_000)
    before = [picture(n) for n in range(-5, 48)]
    late = [picture(n, 400_000) for n in range(105, 240)]
    result = measure(evidence(before + late, disturbed=dark))
    assert result.recover_ms == 5 * 40 + 400
    assert result.full_rate_ms == result.recover_ms
    assert result.latency_left_ms == 330
    assert result.longest_freeze_ms == pytest.approx(2000, abs=1000)


def test_what_never_comes_back_never_recovers_and_meets_no_goal() -> None:
    dark = Span(START_US + 2_000_000, START_US + 4_000_000)
    result = measure(evidence([picture(n) for n in range(48)], disturbed=dark))
    assert result.recover_ms == result.full_rate_ms == inf
    assert at_most("recover_ms", 1000).met(result) is False


def test_queue_and_use_of_the_capacity_are_those_of_the_worst_phase() -> None:
    flow = Flow()
    for index in range(2000):  # 5 ms apart, 1000 bits each: 200 kbit/s
        now_us = START_US + index * 5000
        waits_us = 250_000 if 5_000_000 <= index * 5000 < 8_400_000 else 20_000
        flow.add(125 - HEADER_BYTES, now_us, Passage((now_us,), waits_us, 1))
    flow.add(0, START_US + 9_990_000, Passage((), 0, 99, Drop.QUEUE))
    capacities = (1000, 250)  # and a phase that no encoder of 1 Mbit/s can fill
    phases = [Phase(5, Knobs(capacity_kbps=rate)) for rate in capacities]
    schedule = Schedule((*phases, Phase(1, Knobs(capacity_kbps=8000))))
    result = measure(evidence([], 11.0, up=flow, schedule=schedule))
    assert result.rate_kbps == pytest.approx(200 * 10 / 11, rel=0.01)
    assert result.self_made_loss_percent == pytest.approx(100 / 2001)
    assert result.capacity_used_percent == pytest.approx(20, rel=0.05)
    # from 3 s after the drop of capacity on; 0.4 of its 2 s were slow
    assert result.added_queue_ms == 250


def test_a_link_that_stays_as_it_is_counts_to_the_end_of_the_window() -> None:
    flow = Flow()
    for index in range(4000):  # 5 ms apart: 100 kbit/s, and twice as much from 10 s on
        now_us = START_US + index * 5000
        waits_us = 10_000 if index < 2000 else 50_000
        size = 62 if index < 2000 else 125
        flow.add(size - HEADER_BYTES, now_us, Passage((now_us,), waits_us, 1))
    schedule = Schedule.steady(Knobs(capacity_kbps=250))
    result = measure(evidence([], 20.0, up=flow, schedule=schedule))
    assert result.capacity_used_percent == pytest.approx(80, rel=0.05)
    assert result.added_queue_ms == 50


def test_goals_tell_themselves_in_words() -> None:
    assert str(at_least("shown_percent", 97)) == "shown >= 97 %"
    assert str(at_most("longest_freeze_ms", 800)) == "longest freeze <= 800 ms"
    with pytest.raises(ValueError, match="no measure"):
        at_most("beauty", 1)


def test_every_goal_of_the_matrix_is_about_a_figure_that_is_measured() -> None:
    names = set(Measures.__dataclass_fields__)
    scenarios = matrix(10)
    assert len({scenario.name for scenario in scenarios}) == len(scenarios)
    assert all(scenario.goals and scenario.seconds >= 10 for scenario in scenarios)
    assert {goal.measure for scenario in scenarios for goal in scenario.goals} <= names
    assert all(isinstance(goal, Goal) for scenario in scenarios for goal in scenario.goals)


def test_a_line_that_is_being_written_is_left_for_later(tmp_path: Path) -> None:
    log = tmp_path / "frames.csv"
    assert not shown.has_rows(log)
    log.write_text("frame_number,captured_us,shown_us\n")
    assert not shown.has_rows(log)
    log.write_text("frame_number,captured_us,shown_us\n3,100,200\n4,10")
    assert shown.of_denc(log) == (ShownPicture(3, 100, 200),)


def test_pictures_of_the_stock_peer_are_known_by_their_number(tmp_path: Path) -> None:
    sent, seen = tmp_path / "sent.csv", tmp_path / "shown.csv"
    sent.write_text("frame_number,captured_us\n0,100\n1,200\n2,300\n")
    seen.write_text("frame_number,shown_us\n0,150\n2,350\n2,390\n77,400\n")
    assert shown.of_aiortc(sent, seen) == (ShownPicture(0, 100, 150), ShownPicture(2, 300, 350))
