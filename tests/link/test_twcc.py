"""Transport-wide feedback: the wire format, and what a receiver remembers."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from link import reports
from link.errors import WireError
from link.sent_log import CLOCK_TURN_US, SentLog, UnderWay
from link.twcc import (
    MAX_STATUSES,
    TICK_US,
    ArrivalLog,
    Feedback,
    TransportFeedback,
    build_fci,
    feedbacks_in,
    parse_feedback,
)

arrivals = st.lists(st.none() | st.integers(0, 4_000_000), min_size=1, max_size=300).filter(any)


@given(st.integers(0, 0xFFFF), st.integers(0, 255), arrivals)
def test_feedback_survives_the_wire_within_a_tick(
    base: int, count: int, arrived: list[int | None]
) -> None:
    parsed = parse_feedback(build_fci(Feedback(base, count, tuple(arrived))))
    assert (parsed.base, parsed.count) == (base, count)
    assert [at is None for at in parsed.arrivals_us] == [at is None for at in arrived]
    for told, was in zip(parsed.arrivals_us, arrived, strict=True):
        assert told is None or (was is not None and 0 <= was - told < TICK_US)


def test_the_example_of_the_draft_is_read() -> None:
    """A run of two lost, a vector of two-bit symbols, deltas of one and two bytes."""
    fci = struct.pack("!HHL", 10, 9, 3 << 8 | 7)
    fci += struct.pack("!HH", 0 << 13 | 2, 0b11 << 14 | 0b01_10_00_01_00_00_01)
    fci += struct.pack("!BhBB", 4, -2, 8, 0)
    parsed = parse_feedback(fci + bytes(-len(fci) % 4))
    start = 3 * 64_000
    assert parsed == Feedback(
        10,
        7,
        (None, None, start + 1_000, start + 500, None, start + 2_500, None, None, start + 2_500),
    )


@given(st.binary(max_size=200))
def test_garbage_is_feedback_or_a_wire_error(data: bytes) -> None:
    try:
        parsed = parse_feedback(data)
    except WireError:
        return
    assert 0 < len(parsed.arrivals_us) <= MAX_STATUSES


@pytest.mark.parametrize("count", [1, 13, 100, MAX_STATUSES])
def test_feedback_fits_a_datagram_and_a_compound(count: int) -> None:
    feedback = Feedback(65_000, 1, tuple(range(0, 300 * count, 300)))
    data = reports.compound(1, "cname", [TransportFeedback(1, 2, feedback)])
    assert len(data) < 1_200
    assert [len(found.arrivals_us) for found in feedbacks_in(data)] == [count]


def test_a_damaged_feedback_in_a_compound_is_left_out() -> None:
    good = bytes(TransportFeedback(1, 2, Feedback(0, 0, (5_000, None, 9_000))))
    bad = struct.pack("!BBHLLHHL", 0x8F, 205, 4, 1, 2, 7, 0, 0)
    assert len(list(feedbacks_in(bad + good))) == 1


def test_the_log_tells_of_each_packet_twice_and_of_gaps() -> None:
    """Feedback may be lost, and a packet that was overtaken come later."""
    log = ArrivalLog()
    for number, at in ((65_534, 100), (0, 300), (65_535, 200), (2, 500)):
        log.add(number, at)
    assert log.take() == Feedback(65_534, 0, (100, 200, 300, None, 500))
    assert log.take() is None
    log.add(1, 600)  # was told to be lost
    log.add(3, 700)
    assert log.take() == Feedback(65_534, 1, (100, 200, 300, 600, 500, 700))
    log.add(65_535, 800)  # told of twice
    assert log.take() is None
    log.add(4, 900)
    assert log.take() == Feedback(3, 2, (700, 900))


def test_what_came_after_it_was_told_to_be_lost_is_told_of_again() -> None:
    log = SentLog()
    for n in range(4):
        log.add(100 + n, 1_000 * n)
    log.match(Feedback(0, 0, (7, None, None, 9)))
    fates = log.match(Feedback(0, 1, (7, 12, None, 9)))
    assert [(f.packet.size_bytes, f.arrived_us, f.was_lost) for f in fates] == [(101, 12, True)]
    assert log.match(Feedback(0, 2, (7, 12, None, 9))) == []


def test_a_jump_of_the_numbers_is_bounded() -> None:
    log = ArrivalLog()
    log.add(0, 1)
    log.add(30_000, 2)
    feedback = log.take()
    assert feedback is not None
    assert len(feedback.arrivals_us) == MAX_STATUSES
    assert feedback.arrivals_us[-1] == 2


def test_the_sent_log_matches_across_the_wrap_and_a_lost_feedback() -> None:
    log = SentLog(first=65_530)
    for n in range(20):
        log.add(100 + n, 1_000 * n)
    fates = log.match(Feedback(65_534, 0, (7, None, 9)))
    assert [(f.packet.size_bytes, f.arrived_us) for f in fates] == [(104, 7), (105, None), (106, 9)]
    # what no feedback told of before is forgotten
    assert log.under_way() == UnderWay(7_000, sum(range(107, 120)))
    assert log.match(Feedback(65_534, 0, (7, None, 9))) == []


def test_the_receivers_clock_may_wrap() -> None:
    log = SentLog()
    for _ in range(3):
        log.add(1, 0)
    late = CLOCK_TURN_US - 1_000
    fates = log.match(Feedback(0, 0, (late, 500, 900)))
    assert [f.arrived_us for f in fates] == [late, CLOCK_TURN_US + 500, CLOCK_TURN_US + 900]
