"""What an end takes at one moment, as it tells itself (`/figures.json`)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.net.ends import Ends
from tests.net.place import LOCALHOST

TIMEOUT_S = 5.0
MIB = 1 << 20


@dataclass(frozen=True)
class Sample:
    """Of one end."""

    at: float  # seconds from the beginning, or the number of the reconnect
    memory_mib: float
    files: float
    threads: float
    tasks: float
    frames: int  # shown by the viewer, sent by the streamer
    latency_ms: float | None = None  # p95 of the last minute; the viewer's


async def watch(
    ends: Ends, seconds: float, step_s: float, tell: Callable[[float], object]
) -> AsyncIterator[tuple[float, Mapping[str, Mapping[str, Any]]]]:
    """Seconds from the beginning, and the figures of each end that answers; until the time is over
    or an end is gone. `tell` gets the seconds that passed since it was told last."""
    begin = told = time.monotonic()
    while not ends.exit_reason() and (at := time.monotonic() - begin) < seconds:
        asked = {end: await figures_of(port) for end, port in ends.figures_ports.items()}
        yield at, {end: figures for end, figures in asked.items() if figures is not None}
        await asyncio.sleep(step_s)
        tell(time.monotonic() - told)
        told = time.monotonic()


async def look(port: int, at: float) -> Sample | None:
    """None where there are no figures."""
    figures = await figures_of(port)
    return None if figures is None else parse(figures, at)


async def figures_of(port: int) -> Mapping[str, Any] | None:
    """Of an end. None: it does not answer, since it is being started or ended."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    url = f"http://{LOCALHOST}:{port}/figures.json"
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as reply:
            figures: Mapping[str, Any] = await reply.json()
            return figures
    except (aiohttp.ClientError, asyncio.TimeoutError, OSError):
        return None


def parse(figures: Mapping[str, Any], at: float) -> Sample:
    """From the figures of either daemon."""
    latency = figures.get("latency_ms")
    return Sample(
        at=at,
        memory_mib=figures["process_memory_bytes"] / MIB,
        files=figures["process_files"],
        threads=figures["process_threads"],
        tasks=figures["process_tasks"],
        frames=figures.get("frames_shown", figures.get("frames_sent", 0)),
        latency_ms=None if latency is None else latency["p95"],
    )
