"""The offset of two clocks, of what RTCP tells anyway."""

from __future__ import annotations

import random

import pytest

from link.peer_clock import REPORTS_MAX, WINDOW_US, PeerClock
from link.reports import ntp_time, unix_time

UNIX_US = 1_700_000_000_000_000


def test_ntp_and_unix_time_are_inverses() -> None:
    for unix_us in (UNIX_US, UNIX_US + 1, UNIX_US + 999_999):
        assert abs(unix_time(ntp_time(unix_us)) - unix_us) <= 1


def test_without_a_report_nothing_is_claimed() -> None:
    assert PeerClock().estimate() is None


@pytest.mark.parametrize("offset_us", [0, 3_600_000_000, -250_000])
@pytest.mark.parametrize("forth_share", [0.1, 0.5, 0.9])  # of the round trip: the way to us
def test_the_truth_lies_within_the_uncertainty(offset_us: int, forth_share: float) -> None:
    rng = random.Random(7)
    clock, here_us = PeerClock(), UNIX_US
    for _ in range(20):
        here_us += 1_000_000
        queue_us = int(rng.expovariate(1 / 20_000)) if rng.random() < 0.8 else 0
        sent_us = here_us - offset_us - round(40_000 * forth_share) - queue_us
        clock.add(sent_us, here_us, 40_000 + queue_us)
    found = clock.estimate()
    assert found is not None
    assert abs(found.offset_us - offset_us) <= found.uncertainty_us
    assert found.uncertainty_us <= 21_000


def test_a_clock_that_is_set_anew_is_followed_within_the_window() -> None:
    clock = PeerClock()
    for second in range(90):
        here_us = UNIX_US + second * 1_000_000
        offset_us = 5_000_000 if second < 30 else 9_000_000
        clock.add(here_us - offset_us - 1_000, here_us, 2_000)
    found = clock.estimate()
    assert found is not None
    assert abs(found.offset_us - 9_000_000) <= found.uncertainty_us


def test_what_is_kept_is_bounded() -> None:
    clock = PeerClock()
    for number in range(10 * REPORTS_MAX):
        clock.add(UNIX_US, UNIX_US + number * WINDOW_US // (20 * REPORTS_MAX), 1_000)
    assert len(clock._reports) == REPORTS_MAX
