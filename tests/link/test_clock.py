"""Setting the machine's clock does not part what another machine compares."""

import time

import pytest

from link import clock, sender
from streamer.sources import open as sources


def test_setting_the_clock_moves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    before = clock.unix_us()
    assert before == pytest.approx(time.time_ns() // 1000, abs=5e6)
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    assert 0 <= clock.unix_us() - before < 5e6


def test_pictures_and_sender_reports_are_of_one_clock() -> None:
    assert sources.unix_us is sender.unix_us is clock.unix_us
