"""A progress bar on a terminal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TextIO

from viewer.state_line import put

WIDTH = 30  # characters
INTERVAL_S = 0.2


async def show_progress(stream: TextIO, total: int, done: Callable[[], int]) -> None:
    """Draw how many of `total` pictures are done until cancelled, or the terminal goes away;
    nothing without one."""
    if not stream.isatty():
        return
    started = time.monotonic()
    try:
        while True:
            if not put(stream, "\r" + bar(done(), total, time.monotonic() - started)):
                return
            await asyncio.sleep(INTERVAL_S)
    finally:
        put(stream, "\r" + bar(done(), total, time.monotonic() - started) + "\n")


def bar(done: int, total: int, elapsed_s: float) -> str:
    """`[#####.....] 120/240  24.0 pictures/s  5 s left`."""
    done = min(done, total)
    filled = WIDTH * done // total
    rate = done / elapsed_s if elapsed_s > 0 else 0.0
    left = f"{(total - done) / rate:.0f} s left" if rate else "starting"
    return (
        f"[{'#' * filled}{'.' * (WIDTH - filled)}] {done}/{total}  {rate:.1f} pictures/s  {left}  "
    )
