"""Recording live: the disk gets full or is read-only, the writer is killed; the view goes on."""

from __future__ import annotations

import asyncio
import csv
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from made_streams import coded
from sending import send
from test_viewer_session import connect, viewer

RESUME_S = 5.0
DISK_BYTES = 24 << 20
ROOM_LEFT_BYTES = 300_000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, timeout=10, check=False)
    except FileNotFoundError:
        pytest.skip("no mount on this system")
    if mounted.returncode:
        pytest.skip("only root may mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], timeout=10, check=False)


def pictures(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def shown_numbers(log: Path) -> list[int]:
    with log.open() as lines:
        return [int(row["frame_number"]) for row in csv.DictReader(lines)]


async def said(what: str, caplog: pytest.LogCaptureFixture) -> None:
    while what not in caplog.text:  # noqa: ASYNC110 - the log has no event to wait for
        await asyncio.sleep(0.05)


async def mount_again(disk: Path, how: str) -> None:
    command = ["mount", "-o", f"remount,{how}", str(disk)]
    await asyncio.to_thread(subprocess.run, command, timeout=10, check=True)


async def test_a_full_disk_costs_the_view_nothing_and_recording_resumes(
    disk: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    ballast, log = disk / "ballast", tmp_path / "f.csv"
    ballast.write_bytes(bytes(DISK_BYTES - ROOM_LEFT_BYTES))
    keys = {"record": disk / "r.mkv", "record_stream": disk / "s.mkv", "log_frames": log}
    units = coded(300)
    async with viewer(record_quality="lossless", latency_budget=60_000, **keys) as (port, _):
        sender = await connect(port)
        sending = asyncio.create_task(send(sender, units, interval_s=0.04))
        await asyncio.wait_for(said("record stopped", caplog), 20)
        await asyncio.sleep(1)
        ballast.unlink()
        started = time.monotonic()
        await asyncio.wait_for(said("record goes on", caplog), 20)
        resumed_s = time.monotonic() - started
        await sending
        await sender.close()
    assert shown_numbers(log) == list(range(300))
    assert resumed_s <= RESUME_S
    assert "No space left" in caplog.text
    assert pictures(disk / "r.mkv") > 10
    assert pictures(disk / "r-1.mkv") > 10
    assert pictures(disk / "s.mkv") > 10  # the tiny stream may never have met the end of the disk


async def test_a_read_only_disk_is_told_of_and_the_view_goes_on(
    disk: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    await mount_again(disk, "ro")
    log = tmp_path / "f.csv"
    keys = {"record": disk / "r.mkv", "record_stream": disk / "s.mkv", "log_frames": log}
    async with viewer(latency_budget=60_000, **keys) as (port, _):
        sender = await connect(port)
        await send(sender, coded(30))
        assert "Read-only file system; trying again every 2 s" in caplog.text
        assert caplog.text.count("record_stream stopped") == 1
        await mount_again(disk, "rw")
        await asyncio.sleep(2)
        await send(sender, coded(30, first=30), first=30)
        await sender.close()
    assert shown_numbers(log) == list(range(60))
    assert pictures(disk / "r.mkv") >= 25
    assert pictures(disk / "s.mkv") >= 20
