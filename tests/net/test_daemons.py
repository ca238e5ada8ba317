"""Both daemons as processes over bad links: the short lines of the matrix."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from benches.demo.processes import Daemon, free_port
from tests.net.emulated_link import EmulatedLink
from tests.net.goals import Goal, at_least, at_most
from tests.net.knobs import Knobs
from tests.net.matrix import BASE
from tests.net.measures import Span, measure
from tests.net.peers import DencPeer, Stream
from tests.net.run import Run, run_scenario
from tests.net.scenario import Scenario
from tests.net.schedule import Phase, Schedule

SEED = 1
STREAM = Stream(192, 112)
BITRATE_BPS = 300_000
TRIES = 2  # a machine that stands still for a while is given another chance
NOTICED_WITHIN_S = 3.0
PICTURE_WITHIN_S = 2.0


async def run_on(link: Schedule, folder: Path) -> Run:
    """denc over a link that is the same both ways. Skips where the machine itself stood still."""
    scenario = Scenario("test", "", link, link, (), link.duration_s, bitrate_bps=BITRATE_BPS)
    for attempt in range(TRIES):
        run = await run_scenario(
            scenario, DencPeer(), folder / str(attempt), stream=STREAM, seed=SEED
        )
        if not run.is_disturbed_by_machine:
            return run
    pytest.skip(f"the machine is too busy: it held up the emulator by {run.late_ms:.0f} ms")


def check(run: Run, *goals: Goal) -> None:
    assert not run.error
    missed = [str(goal) for goal in goals if not goal.met(run.measures)]
    assert not missed, f"seed {SEED}: {missed}, {run.measures}"


async def test_a_clean_link_loses_nothing_and_never_freezes(tmp_path: Path) -> None:
    run = await run_on(Schedule((Phase(4, BASE),)), tmp_path)
    check(
        run,
        at_most("undecodable", 0),
        at_most("freezes", 0),
        at_least("shown_percent", 99),
        at_most("first_picture_ms", 3000),
        at_most("sessions", 1),
    )


async def test_five_percent_of_loss_cost_three_percent_of_the_frames(tmp_path: Path) -> None:
    run = await run_on(Schedule((Phase(5, replace(BASE, loss_percent=5)),)), tmp_path)
    assert sum(slot.lost for slot in run.evidence.up.slots) > 5
    check(run, at_least("shown_percent", 97), at_most("longest_freeze_ms", 500))


async def test_the_picture_comes_back_after_a_blackout_without_more_latency(tmp_path: Path) -> None:
    dark = Knobs(blackout=True)
    phases = (
        Phase(1.5, BASE),
        Phase(0.5, dark),
        Phase(2.5, BASE),
        Phase(2, dark),
        Phase(3.5, BASE),
    )
    run = await run_on(Schedule(phases), tmp_path)
    start_us = run.evidence.window.start_us
    # the goal after 2 s is 1 s as well: `make net` measures against that
    for begin_s, end_s, next_s, back_ms in ((1.5, 2, 4.5, 1000), (4.5, 6.5, 10, 2000)):
        begin_us, end_us, next_us = (start_us + round(s * 1e6) for s in (begin_s, end_s, next_s))
        evidence = replace(
            run.evidence, window=Span(start_us, next_us), disturbed=Span(begin_us, end_us)
        )
        check(
            replace(run, measures=measure(evidence)),
            at_most("recover_ms", back_ms),
            at_most("latency_left_ms", 50),
            at_most("sessions", 1),
        )


async def seconds_until(condition: Callable[[], bool], timeout_s: float) -> float:
    """How long it took; infinite if it did not come true."""
    start = time.monotonic()
    while time.monotonic() - start < timeout_s:
        if condition():
            return time.monotonic() - start
        await asyncio.sleep(0.02)
    return float("inf")


def resources(daemon: Daemon) -> tuple[int, int]:
    """File descriptors and threads."""
    folder = Path(f"/proc/{daemon.pid}")
    return len(os.listdir(folder / "fd")), len(os.listdir(folder / "task"))


def said(daemon: Daemon, text: str) -> int:
    return daemon.log.read_text(encoding="utf-8", errors="replace").count(text)


class Ends:
    """Both daemons over one link; either can be killed and started again."""

    def __init__(self, port: int, url: str, folder: Path) -> None:
        self._port, self._url, self._folder = port, url, folder
        self.viewer, self.streamer = self.view(), self.stream()

    def view(self) -> Daemon:
        return DencPeer().receiver(self._port, 0, self._folder)

    def stream(self) -> Daemon:
        return DencPeer().sender(self._url, STREAM, BITRATE_BPS, 0, self._folder)

    def frames(self) -> int:
        return len(DencPeer().shown(self._folder))

    async def stop(self) -> None:
        for daemon in (self.streamer, self.viewer):
            await asyncio.to_thread(daemon.__exit__, None, None, None)


async def test_either_end_killed_is_noticed_replaced_and_leaves_nothing_behind(
    tmp_path: Path,
) -> None:
    port = free_port()
    async with EmulatedLink(port, SEED, Schedule.steady(BASE)) as link:
        ends = Ends(port, link.url, tmp_path)
        try:
            assert await seconds_until(lambda: ends.frames() > 5, 20) < 20
            for victim in ("streamer", "viewer", "streamer"):
                await check_killed(ends, victim)
        finally:
            await ends.stop()


async def check_killed(ends: Ends, victim: str) -> None:
    kills_streamer = victim == "streamer"
    dead, survivor = (
        (ends.streamer, ends.viewer) if kills_streamer else (ends.viewer, ends.streamer)
    )
    notices = "stream ended" if kills_streamer else "the session ended"
    before, told = resources(survivor), said(survivor, notices)
    os.kill(dead.pid, signal.SIGKILL)
    noticed_s = await seconds_until(lambda: said(survivor, notices) > told, 10)
    assert noticed_s < NOTICED_WITHIN_S, f"{victim}: {noticed_s:.1f} s"
    await asyncio.to_thread(dead.__exit__, None, None, None)
    frames = ends.frames() if kills_streamer else 0
    if kills_streamer:
        ends.streamer = ends.stream()
        ready, daemon = "connected", ends.streamer
    else:
        ends.viewer = ends.view()
        ready, daemon = "listening", ends.viewer
    assert await seconds_until(lambda: said(daemon, ready) > 0, 20) < 20
    picture_s = await seconds_until(lambda: ends.frames() > frames, 10)
    assert picture_s < PICTURE_WITHIN_S, f"{victim}: {picture_s:.1f} s"
    grown = [now - then for now, then in zip(resources(survivor), before, strict=True)]
    assert max(grown) <= 0, f"{victim}: {grown} descriptors and threads more"
