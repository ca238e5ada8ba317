"""The figures of the process follow what it holds."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from daemon.process import process_figures


async def test_one_more_of_each_is_seen(tmp_path: Path) -> None:
    before = process_figures()
    task, hold = asyncio.ensure_future(asyncio.sleep(60)), threading.Event()
    thread = threading.Thread(target=hold.wait)
    thread.start()
    ballast = bytearray(b"x" * (32 << 20))
    with (tmp_path / "file").open("wb"):
        after = process_figures()
    hold.set()
    thread.join()
    task.cancel()
    assert after["process_tasks"] == before["process_tasks"] + 1
    assert after["process_threads"] == before["process_threads"] + 1
    assert after["process_files"] == before["process_files"] + 1
    grown = after["process_memory_bytes"] - before["process_memory_bytes"]
    assert len(ballast) * 0.9 < grown < len(ballast) * 1.5
