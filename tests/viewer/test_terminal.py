"""What the viewer says on a terminal: link, QR code, and one line that lives."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import pytest
import segno
from test_viewer_session import connect
from test_viewer_session import viewer as viewing

from daemon.errors import RunError
from daemon.figures import Figures
from viewer import app, reach
from viewer.address import EVERYWHERE, Address
from viewer.progress import show_progress
from viewer.reach import draw_qr, from_elsewhere, link
from viewer.state_line import CLEAR, INTERVAL_S, show_state
from viewer.summary import figure_lines, live_line

HERE = Address("192.168.1.7", 8889)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def closing() -> Iterator[tuple[int, TextIO]]:
    """A terminal, and its other end, which the test closes."""
    main_end, terminal = os.openpty()
    stream = os.fdopen(terminal, "w")
    yield main_end, stream
    with suppress(OSError):
        stream.close()


@pytest.fixture
def at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "own_address", lambda: "192.168.1.7")


@pytest.mark.usefixtures("at_home")
@pytest.mark.parametrize(
    ("url", "host", "expected"),
    [
        ("http://127.0.0.1:8890/", EVERYWHERE, "http://192.168.1.7:8890/"),
        ("http://127.0.0.1:8890/?token=...", EVERYWHERE, "http://192.168.1.7:8890/?token=..."),
        ("http://127.0.0.1:8890/", "127.0.0.1", "http://127.0.0.1:8890/"),
        ("http://10.0.0.2:8890/", "10.0.0.2", "http://10.0.0.2:8890/"),
    ],
)
def test_the_link_is_the_one_that_others_can_open(url: str, host: str, expected: str) -> None:
    assert link(url, Address(host, 8890)) == expected


def test_without_a_network_the_link_is_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "own_address", lambda: None)
    assert link("http://127.0.0.1:8890/", Address(EVERYWHERE, 8890)) == "http://127.0.0.1:8890/"
    assert from_elsewhere(Address(EVERYWHERE, 1)) == Address("THIS-HOST", 1)


def test_the_qr_code_on_a_terminal_holds_the_link_without_its_token() -> None:
    terminal = Terminal()
    draw_qr("http://192.168.1.7:8890/?token=secret", terminal)
    rows = []
    for line in terminal.getvalue().splitlines():
        rows.append([character in "█▀" for character in line])  # light
        rows.append([character in "█▄" for character in line])
    drawn = [[not light for light in row[2:-2]] for row in rows[2:-2]]
    expected = segno.make("http://192.168.1.7:8890/", error="l", micro=False).matrix
    assert [row[: len(expected)] for row in drawn[: len(expected)]] == [
        [bool(dark) for dark in row] for row in expected
    ]


@pytest.mark.parametrize(
    ("url", "stream"),
    [("http://192.168.1.7:8890/", io.StringIO()), ("http://127.0.0.1:8890/", Terminal())],
)
def test_no_qr_code_in_a_log_nor_of_a_link_that_no_phone_can_open(
    url: str, stream: io.StringIO
) -> None:
    draw_qr(url, stream)
    assert stream.getvalue() == ""


def test_while_waiting_the_line_says_where_for_whom_and_what_to_do() -> None:
    figures = Figures()
    figures.set("state", "listening")
    said = live_line(figures, HERE, lambda: "paired: garden")
    assert said == (
        "listening on 192.168.1.7:8889, paired: garden; "
        "there: denc-stream --camera 0 --peer 192.168.1.7:8889"
    )

    def unreadable() -> str:
        raise RunError("its list is damaged")

    assert "its list is damaged" in live_line(figures, HERE, unreadable)


def test_while_receiving_the_line_has_the_figures() -> None:
    figures = Figures()
    figures.set("state", "receiving")
    figures.set("source_size", "640x360")
    figures.set("engine", "lite")
    figures.rate("bits_per_s", 300_000)
    figures.observe("latency_ms", 81.2)
    figures.add("frames_lost", 2)
    said = live_line(figures, HERE, str)
    assert said == "640x360, 100 kbit/s, lite, latency 81 ms, 2 pictures lost"
    figures.set("state", "no signal")
    assert live_line(figures, HERE, str).startswith("no signal: ")
    assert figure_lines({}) == []


def test_of_several_streams_the_line_has_those_that_come() -> None:
    viewer = Figures()
    viewer.streams = {number: Figures() for number in "012"}
    for figures in (viewer, *viewer.streams.values()):
        figures.set("state", "listening")
    assert live_line(viewer, HERE, str).startswith("listening on")
    for figures in (viewer, viewer.streams["1"]):
        figures.set("state", "receiving")
    viewer.streams["1"].set("source_size", "640x360")
    assert live_line(viewer, HERE, str) == "1 of 3 streams, 1: 640x360"


async def test_log_lines_and_the_living_line_do_not_mix(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, logger = Terminal(), logging.getLogger("viewer.test")
    monkeypatch.setattr(logging.getLogger(), "handlers", [logging.StreamHandler(terminal)])
    task = asyncio.create_task(show_state(terminal, lambda: "waiting"))
    await asyncio.sleep(0.1)
    logger.warning("something happened")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    logger.warning("later")
    assert terminal.getvalue() == f"{CLEAR}waiting{CLEAR}something happened\n{CLEAR}later\n"


async def test_there_is_no_living_line_in_a_log() -> None:
    stream = io.StringIO()
    await asyncio.wait_for(show_state(stream, lambda: "waiting"), 5)
    assert stream.getvalue() == ""


async def test_a_terminal_that_goes_away_ends_the_living_line_and_no_log_call_fails(
    closing: tuple[int, TextIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    main_end, terminal = closing
    log, logger = io.StringIO(), logging.getLogger("viewer.test")
    monkeypatch.setattr(logging.getLogger(), "handlers", [logging.StreamHandler(log)])
    task = asyncio.create_task(show_state(terminal, lambda: "waiting"))
    await asyncio.sleep(0.1)
    os.close(main_end)
    logger.warning("something happened")
    await asyncio.wait_for(task, 10 * INTERVAL_S)
    assert log.getvalue() == "something happened\n"


async def test_a_terminal_that_goes_away_ends_the_bar(closing: tuple[int, TextIO]) -> None:
    main_end, terminal = closing
    task = asyncio.create_task(show_progress(terminal, 10, lambda: 1))
    await asyncio.sleep(0.1)
    os.close(main_end)
    await asyncio.wait_for(task, 5)


async def test_a_living_line_that_breaks_keeps_nothing_from_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(stream: TextIO, words: object) -> None:
        raise OSError("no terminal")

    monkeypatch.setattr(app, "show_state", broken)
    async with viewing() as (port, _):
        sender = await connect(port)
    await asyncio.wait_for(sender.wait_closed(), 5)  # the server has said so


@pytest.mark.parametrize("goes_away", [False, True])
def test_the_viewer_on_a_terminal(tmp_path: Path, goes_away: bool) -> None:
    main_end, terminal = os.openpty()
    command = [sys.executable, "-m", "viewer.cli", "--listen", "127.0.0.1:0", "--headless"]
    keys = ["--engine", "plain", "--figures-port", "0", "--state", str(tmp_path)]
    with subprocess.Popen([*command, *keys], stderr=terminal) as viewer:
        os.close(terminal)
        said, end = b"", time.monotonic() + 30
        while b"the first streamer is paired; there: denc-stream" not in said:
            assert time.monotonic() < end
            said += os.read(main_end, 4096)
        if goes_away:
            os.close(main_end)
            time.sleep(3 * INTERVAL_S)
        viewer.send_signal(signal.SIGINT)
        assert viewer.wait(20) == 0
    if not goes_away:
        os.close(main_end)
    assert b"there=" in said  # in the log as well
