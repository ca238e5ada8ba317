"""Sinks run apart: a slow or broken one holds nobody up."""

from __future__ import annotations

import threading
import time

import pytest

from daemon.figures import Figures
from viewer.sinks.sink import SinkThread


class Slow:
    """A sink that takes nothing until it is let go; keeps what it was shown."""

    name = "slow"
    capacity = 3

    def __init__(self, error: Exception | None = None) -> None:
        self.gate = threading.Event()
        self.error = error
        self.seen: list[int] = []
        self.closed = False

    def show(self, value: int) -> None:
        self.gate.wait(10)
        if self.error is not None:
            raise self.error
        self.seen.append(value)

    def close(self) -> None:
        self.closed = True


def test_a_slow_sink_never_holds_the_writer_and_gets_the_newest() -> None:
    sink, figures = Slow(), Figures()
    thread = SinkThread(sink, figures, waits=False)
    started = time.monotonic()
    for number in range(100):
        thread.put(number)
    assert time.monotonic() - started < 1
    sink.gate.set()
    thread.close()
    assert sink.seen[-3:] == [97, 98, 99]
    assert figures.snapshot()["slow_dropped"] == 100 - len(sink.seen)
    assert sink.closed


def test_a_sink_that_may_lose_nothing_gets_everything() -> None:
    sink = Slow()
    thread = SinkThread(sink, Figures(), waits=True)
    threading.Timer(0.1, sink.gate.set).start()
    for number in range(50):
        thread.put(number)
    thread.close()
    assert sink.seen == list(range(50))


def test_a_sink_that_breaks_is_closed_told_of_and_left_behind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sink = Slow(OSError("the disk is gone"))
    sink.gate.set()
    thread = SinkThread(sink, Figures(), waits=True)
    for number in range(20):
        thread.put(number)
    thread.close()
    assert sink.closed
    assert thread.error == "slow: the disk is gone"
    assert "the disk is gone" in caplog.text
