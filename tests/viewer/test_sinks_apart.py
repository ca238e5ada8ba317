"""Any number of sinks at once: one that hangs or breaks costs the others nothing."""

from __future__ import annotations

import asyncio
import csv
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from made_pictures import shown
from made_streams import coded
from sending import send
from test_viewer_session import connect, free_port

from daemon.config import load
from daemon.figures import Figures
from viewer.config import ViewerConfig
from viewer.picture import Shown
from viewer.pipeline import Pipeline
from viewer.restorers import Restorers

BLOCKED_S = 2.0
PICTURES = 75


class Keeping:
    """A sink that keeps what it is shown, when it is shown it."""

    capacity = 4

    def __init__(self, name: str) -> None:
        self.name = name
        self.numbers: list[int] = []
        self.at_s: list[float] = []
        self.threads: set[str] = set()

    def show(self, value: Shown) -> None:
        self.numbers.append(value.frame.number)
        self.at_s.append(time.monotonic())
        self.threads.add(threading.current_thread().name)

    def close(self) -> None:
        """Nothing is held."""


class Blocking(Keeping):
    """Takes one picture and hangs."""

    capacity = 1

    def show(self, value: Shown) -> None:
        super().show(value)
        time.sleep(BLOCKED_S)


class Broken(Keeping):
    def show(self, value: Shown) -> None:
        super().show(value)
        raise OSError("it is broken")


async def test_a_sink_that_blocks_for_seconds_and_a_broken_one_cost_the_others_nothing() -> None:
    figures = Figures()
    blocking, broken, other, last = (
        Blocking("blocking"), Broken("broken"), Keeping("other"), Keeping("last"),
    )  # fmt: skip
    config = load(ViewerConfig, None, {"listen": "1", "headless": True, "engine": "plain"})
    restorers = Restorers("plain", threads=1)
    sinks = [blocking, broken, other, last]
    pipeline = Pipeline(config, [(figures, sinks)], restorers)
    put_s = []
    for number in range(PICTURES):
        picture = shown(number)
        started = time.monotonic()
        pipeline.places[0].outlet.show(picture)
        put_s.append(time.monotonic() - started)
        await asyncio.sleep(0.04)
    closing = asyncio.create_task(asyncio.to_thread(pipeline.close, discard=False))
    await asyncio.wait_for(closing, 10 * BLOCKED_S)
    assert other.numbers == last.numbers == list(range(PICTURES))
    assert max(put_s) < BLOCKED_S / 2  # that of a machine that is busy
    assert len(blocking.numbers) < PICTURES / 4
    assert blocking.numbers[-1] == PICTURES - 1  # the newest, once it takes something again
    assert broken.numbers == [0]
    assert pipeline.sink_error() == "broken: it is broken"
    assert other.threads.isdisjoint(last.threads)


def piped_viewer(*options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "viewer.cli", *options, "--figures-port", "0"]
    return subprocess.Popen([*command, "--stdout", "y4m"], stdout=subprocess.PIPE)


async def test_a_reader_of_stdout_that_is_stuck_holds_neither_view_nor_recording(
    tmp_path: Path,
) -> None:
    port, log = free_port(), tmp_path / "f.csv"
    keys = ["--listen", f"127.0.0.1:{port}", "--log-frames", str(log), "--engine", "plain"]
    keys += ["--record", str(tmp_path / "r.mkv"), "--latency-budget", "60000", "--once"]
    with piped_viewer(*keys) as process:
        try:
            sender = await connect(port)
            await send(sender, coded(PICTURES, width=320, height=240), interval_s=0.04)
            await sender.close()
            await asyncio.sleep(0.5)
            with log.open() as lines:
                numbers = [int(row["frame_number"]) for row in csv.DictReader(lines)]
            assert numbers == list(range(PICTURES))
            assert process.stdout is not None
            raw = await asyncio.wait_for(asyncio.to_thread(process.stdout.read), 30)
            assert raw.count(b"FRAME\n") < PICTURES  # what the pipe held, and the newest
            assert process.wait(30) == 0
        finally:
            process.kill()


@pytest.mark.parametrize("is_recorded", [True, False])
async def test_a_reader_that_leaves_ends_the_viewer_unless_pictures_still_go_elsewhere(
    tmp_path: Path, is_recorded: bool
) -> None:
    """Live: with a recording the viewer goes on, alone for stdout it ends, as a pipe should."""
    port, record = free_port(), tmp_path / "r.mkv"
    keys = ["--listen", f"127.0.0.1:{port}", "--engine", "plain"]
    keys += ["--record", str(record), "--once"] if is_recorded else []
    with piped_viewer(*keys) as process:
        try:
            sender = await connect(port)
            assert process.stdout is not None
            process.stdout.close()
            await send(sender, coded(25), interval_s=0.04)
            assert process.poll() is None or not is_recorded
            await sender.close()
            assert await asyncio.to_thread(process.wait, 30) == 0
        finally:
            process.kill()
    assert record.exists() == is_recorded
