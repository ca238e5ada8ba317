"""One scenario with one peer: receiver and sender as processes, the link between them here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from benches.demo.processes import Daemon, free_port
from tests.net.direction import monotonic_us
from tests.net.emulated_link import EmulatedLink
from tests.net.measures import Evidence, Measures, Span, measure
from tests.net.peers import Peer, Stream
from tests.net.place import LOCALHOST
from tests.net.scenario import Scenario

FIRST_PICTURE_S = 25.0  # for the start of the programs and their session
SETTLE_S = 1.0  # of the encoder's rate, before the window that is measured
GRACE_S = 1.5  # after it, for the pictures that are under way
TICK_S = 0.1
LATE_MAX_US = 100_000  # more of it and the machine was too busy for its figures to be trusted


@dataclass(frozen=True)
class Run:
    """What one run gave."""

    scenario: Scenario
    peer: str
    evidence: Evidence
    measures: Measures
    late_ms: float  # the longest that the emulator itself held up a datagram
    error: str = ""  # why there is nothing to measure

    @property
    def is_disturbed_by_machine(self) -> bool:
        return self.late_ms * 1000 > LATE_MAX_US


async def run_scenario(
    scenario: Scenario,
    peer: Peer,
    folder: Path,
    *,
    stream: Stream,
    seed: int,
    tell: Callable[[float], object] = lambda seconds: None,
) -> Run:
    """Runs it; `tell` gets the seconds of the window that have passed since it was told last.

    Raises BenchError when a program does not start; one that ends by itself is the run's error.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for log in folder.glob("*.csv"):
        log.unlink()
    port, view_figures, stream_figures = free_port(), free_port(), free_port()
    link = EmulatedLink(port, seed, scenario.up, scenario.down)
    unix_us = time.time_ns() // 1000 - monotonic_us()
    error = ""
    async with _running(lambda: peer.receiver(port, view_figures, folder)) as receiver, link:
        await asyncio.to_thread(receiver.wait_listening, port)
        async with _running(
            lambda: peer.sender(link.url, stream, scenario.bitrate_bps, stream_figures, folder)
        ) as sender:
            if await _first_picture(peer, folder):
                await asyncio.sleep(SETTLE_S)
            else:
                error = f"no picture within {FIRST_PICTURE_S:g} s"
            skipped_before = await _figure(stream_figures, "frames_skipped")
            begin_us = link.begin()
            if not error:
                await _wait(scenario.seconds, tell)
            end_us = monotonic_us()
            await asyncio.sleep(GRACE_S + scenario.up.phases[-1].knobs.queue_delay_ms / 1000)
            skipped = await _figure(stream_figures, "frames_skipped")
            undecodable = await _figure(view_figures, "frames_lost")
            for program in (receiver, sender):
                error = error or program.exit_reason()
    window = Span(begin_us + unix_us, max(end_us, begin_us + 1) + unix_us)
    media_us = link.up.first_media_us
    evidence = Evidence(
        shown=peer.shown(folder),
        window=window,
        fps=stream.fps,
        up=link.up.flow,
        link_clock_us=unix_us,
        schedule=scenario.up,
        bitrate_bps=scenario.bitrate_bps,
        offered_us=link.offers_us[0] + unix_us if link.offers_us else None,
        connected_us=None if media_us is None else media_us + unix_us,
        sessions=len(link.relays),
        undecodable=undecodable,
        skipped=None if skipped is None else skipped - (skipped_before or 0),
        disturbed=_disturbed(scenario, window),
    )
    late_ms = max(link.up.late_us, link.down.late_us) / 1000
    return Run(scenario, peer.name, evidence, measure(evidence), late_ms, error)


@asynccontextmanager
async def _running(start: Callable[[], Daemon]) -> AsyncIterator[Daemon]:
    """The process while the block runs; the event loop goes on while it is being ended."""
    daemon = start()
    try:
        yield daemon
    finally:
        await asyncio.to_thread(daemon.__exit__, None, None, None)


async def _first_picture(peer: Peer, folder: Path) -> bool:
    end = time.monotonic() + FIRST_PICTURE_S
    while time.monotonic() < end:
        if peer.has_shown(folder):
            return True
        await asyncio.sleep(TICK_S)
    return False


async def _wait(seconds: float, tell: Callable[[float], object]) -> None:
    end, told = time.monotonic() + seconds, time.monotonic()
    while (now := time.monotonic()) < end:
        await asyncio.sleep(min(TICK_S, end - now))
        tell(time.monotonic() - told)
        told = time.monotonic()


async def _figure(port: int, name: str) -> int | None:
    """A counter of a daemon; None: the peer has no figures."""
    timeout = aiohttp.ClientTimeout(total=2)
    url = f"http://{LOCALHOST}:{port}/figures.json"
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as reply:
            return int((await reply.json()).get(name, 0))
    except (aiohttp.ClientError, asyncio.TimeoutError, OSError):
        return None


def _disturbed(scenario: Scenario, window: Span) -> Span | None:
    if scenario.disturbed_s is None:
        return None
    start_s, end_s = scenario.disturbed_s
    return Span(window.start_us + round(start_s * 1e6), window.start_us + round(end_s * 1e6))
