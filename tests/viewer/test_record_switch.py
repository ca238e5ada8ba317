"""A recording that is started and stopped while its disk hangs."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import cast

import pytest
from live_player import site
from made_pictures import shown
from made_streams import coded
from sending import send
from test_viewer_session import connect, viewer
from test_web_api import send as ask

from viewer import watching
from viewer.picture import Shown
from viewer.sinks import record_switch, sink
from viewer.sinks.record import Record
from viewer.sinks.record_switch import RecordSwitch

PATIENCE_S = 0.3


class Disk:
    """A `Record`; what is in `held` waits until `gate` is set."""

    file_name = "r.mkv"

    def __init__(self, held: str) -> None:
        self.held, self.gate = held, threading.Event()
        self.at = ""
        self.closed = False

    def open(self) -> Record:
        self._wait("open")
        return cast(Record, self)

    def show(self, value: Shown) -> None:
        self._wait("show")

    def close(self) -> None:
        self._wait("close")
        self.closed = True

    def _wait(self, at: str) -> None:
        self.at = at
        if at == self.held:
            self.gate.wait(20)


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_switch, "PATIENCE_S", PATIENCE_S)
    monkeypatch.setattr(watching, "PATIENCE_S", PATIENCE_S)
    monkeypatch.setattr(sink, "CLOSE_TIMEOUT_S", PATIENCE_S)


@contextmanager
def hanging(held: str) -> Iterator[tuple[Disk, RecordSwitch]]:
    """A recording in the midst of what its disk holds up."""
    disk = Disk(held)
    switch = RecordSwitch(disk.open)
    if held != "open":
        switch.start()
    begin: dict[str, Callable[[], None]] = {
        "open": switch.start,
        "close": switch.stop,
        "show": lambda: switch.show(shown(0)),
    }
    thread = threading.Thread(target=_quietly, args=(begin[held],), daemon=True)
    thread.start()
    while disk.at != held:
        time.sleep(0.01)
    try:
        yield disk, switch
    finally:
        disk.gate.set()
        thread.join()


def _quietly(begin: Callable[[], None]) -> None:
    with suppress(TimeoutError):
        begin()


@pytest.mark.parametrize("held", ["open", "show", "close"])
def test_nobody_waits_for_a_disk_that_hangs_and_it_is_told_once(
    held: str, caplog: pytest.LogCaptureFixture
) -> None:
    with hanging(held) as (disk, switch):
        started = time.monotonic()
        for ask_for in (switch.stop, *[switch.start, switch.stop] * 20):
            with pytest.raises(TimeoutError, match="does not answer"):
                ask_for()
        with pytest.raises(TimeoutError):
            switch.close(PATIENCE_S)
        assert time.monotonic() - started < 4 * PATIENCE_S
        assert caplog.text.count("a recording hangs") == 1
        disk.gate.set()
        switch.close()
    assert disk.closed
    assert not switch.is_on


async def test_clicks_while_the_disk_hangs_are_refused_and_leave_no_thread_behind() -> None:
    with hanging("show") as (disk, switch):
        async with site(recording=switch) as served:
            url = f"{served.url}/api/recording"
            for on in (False, True, *[False] * 20):
                status, text = await ask("PUT", url, {"recording": on})
                assert (status, "does not answer" in str(text)) == (409, True)
            state = {"available": True, "file": "r.mkv", "recording": True}
            assert await ask("GET", url) == (200, state)
            loop = asyncio.get_running_loop()
            await asyncio.wait_for(loop.shutdown_default_executor(), 1)
        assert not disk.closed


async def test_the_viewer_ends_while_a_recording_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    writing, gate = threading.Event(), threading.Event()

    def write(self: Record, value: Shown) -> None:
        writing.set()
        gate.wait(30)

    monkeypatch.setattr(Record, "_write", write)
    try:
        async with viewer(record=tmp_path / "r.mkv") as (port, _):
            sender = await connect(port)
            await send(sender, coded(20))
            await sender.close()
            assert writing.is_set()
            ends = time.monotonic()
        assert time.monotonic() - ends < 5
        loop = asyncio.get_running_loop()
        await asyncio.wait_for(loop.shutdown_default_executor(), 1)
    finally:
        gate.set()
    assert caplog.text.count("a recording hangs") == 1
