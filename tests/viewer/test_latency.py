"""Where the time of a picture goes, and on whose clock."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_streams import START_US, coded

from daemon.figures import Figures
from link.peer_clock import ClockEstimate, SentReport
from viewer.latency import Latency, Passage
from viewer.timeline import RTP_CLOCK_HZ, Stamped, Timeline

AHEAD_US = 5_000_000  # this box's clock, of the sender's


def stamped(first_timestamp: int = 0) -> Stamped:
    (unit,) = coded(1, first_timestamp=first_timestamp)
    return Timeline().stamp(replace(unit, received_us=1_000), 0, 10, 0)[0]


def passage(captured_us: int, shown_us: int) -> Passage:
    return Passage(
        captured_us=captured_us,
        arrived_us=1_000,
        decoded_us=9_000,
        taken_us=12_000,
        restored_us=42_000,
        shown_us=shown_us,
    )


def p50(figures: Figures, name: str) -> float:
    value = figures.snapshot()[name]
    assert isinstance(value, dict)
    return value["p50"]


@pytest.mark.parametrize("first_timestamp", [0, 2**32 - 900])
def test_every_stage_is_told_and_their_sum_is_the_latency(first_timestamp: int) -> None:
    figures = Figures()
    latency, unit = Latency(figures), stamped(first_timestamp)
    latency.decoding(unit, 3_000)
    ticks = (first_timestamp + RTP_CLOCK_HZ * 1) % 2**32  # of a second after the capture
    sent = SentReport(START_US + 1_000_000 + 15_000, ticks)  # which was 15 ms after it as well
    latency.reported(ClockEstimate(AHEAD_US, 500), sent)
    shown_us = START_US + AHEAD_US + 70_000
    assert latency.shown(passage(START_US, shown_us)) == 70_000
    stages = {"sender_ms": 15, "path_ms": 14, "jitter_buffer_ms": 2, "wait_ms": 3}
    assert {name: p50(figures, name) for name in stages} == stages
    decoding_and_restoring_ms = 6 + 30
    assert sum(stages.values()) + decoding_and_restoring_ms == 70
    assert figures.snapshot()["clock_offset_ms"] == AHEAD_US / 1e3
    assert figures.snapshot()["clock_uncertainty_ms"] == 0.5


def test_without_reports_the_clocks_are_taken_for_one() -> None:
    figures = Figures()
    latency = Latency(figures)
    assert latency.shown(passage(START_US, START_US + 70_000)) == 70_000
    assert "sender_ms" not in figures.snapshot()
    assert "clock_offset_ms" not in figures.snapshot()


def test_another_stream_has_another_clock() -> None:
    latency = Latency(Figures())
    latency.reported(ClockEstimate(AHEAD_US, 500), None)
    latency.begin()
    assert latency.shown(passage(START_US, START_US + 70_000)) == 70_000


@pytest.mark.parametrize("wrong_us", [-1_000_000, 3_600_000_000])
def test_a_report_on_another_clock_than_the_captures_says_nothing(wrong_us: int) -> None:
    figures = Figures()
    latency = Latency(figures)
    latency.decoding(stamped(), 3_000)
    latency.reported(ClockEstimate(0, 500), SentReport(START_US + wrong_us, 0))
    latency.shown(passage(START_US, START_US + 70_000))
    assert "sender_ms" not in figures.snapshot()
