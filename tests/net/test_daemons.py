"""Both daemons as processes over bad links: the short lines of the matrix."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from benches.demo.processes import Daemon
from tests.net.emulated_link import EmulatedLink
from tests.net.ends import STREAMER, VIEWER, Ends, Reconnect, darken, kill, running
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
PICTURE_WITHIN_S = 2.0  # the goal is of p95: a single one may miss it on a busy machine


def run_on(link: Schedule, folder: Path) -> Run:
    """denc over a link that is the same both ways. Skips where the machine itself stood still."""
    scenario = Scenario("test", "", link, link, (), link.duration_s, bitrate_bps=BITRATE_BPS)
    for attempt in range(TRIES):
        trial = folder / str(attempt)
        run = asyncio.run(run_scenario(scenario, DencPeer(), trial, stream=STREAM, seed=SEED))
        if not run.is_disturbed_by_machine:
            return run
    pytest.skip(f"the machine is too busy: it held up the emulator by {run.late_ms:.0f} ms")


def check(run: Run, *goals: Goal) -> None:
    assert not run.error
    missed = [str(goal) for goal in goals if not goal.met(run.measures)]
    assert not missed, f"seed {SEED}: {missed}, {run.measures}"


def within(
    run: Run, begin_s: float, end_s: float, dark_s: tuple[float, float] | None = None
) -> Run:
    """A part of a run as if it were all of it."""
    start_us = run.evidence.window.start_us

    def span(begin_s: float, end_s: float) -> Span:
        return Span(start_us + round(begin_s * 1e6), start_us + round(end_s * 1e6))

    disturbed = None if dark_s is None else span(*dark_s)
    evidence = replace(run.evidence, window=span(begin_s, end_s), disturbed=disturbed)
    return replace(run, measures=measure(evidence))


def test_a_clean_link_loses_nothing_and_never_freezes(tmp_path: Path) -> None:
    check(
        run_on(Schedule((Phase(4, BASE),)), tmp_path),
        at_most("undecodable", 0),
        at_most("freezes", 0),
        at_least("shown_percent", 99),
        at_most("connect_ms", 3000),
        at_most("sessions", 1),
    )


@pytest.fixture(scope="module")
def rough(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """5 s at 5% of loss, then dark from 6 to 6.5 s and from 9 to 11 s."""
    lossy, dark = replace(BASE, loss_percent=5), Knobs(blackout=True)
    phases = ((5, lossy), (1, BASE), (0.5, dark), (2.5, BASE), (2, dark), (3.5, BASE))
    link = Schedule(tuple(Phase(*phase) for phase in phases))
    return run_on(link, tmp_path_factory.mktemp("rough"))


def test_five_percent_of_loss_cost_three_percent_of_the_frames(rough: Run) -> None:
    assert sum(slot.lost for slot in rough.evidence.up.slots) > 5
    lossy = within(rough, 0, 5)
    check(lossy, at_least("shown_percent", 97), at_most("longest_freeze_ms", 500))


# the goal after 2 s is 1 s as well: `make net` measures against that
@pytest.mark.parametrize(
    ("dark_s", "until_s", "back_ms"), [((6, 6.5), 9, 1000), ((9, 11), 14.5, 2000)]
)
def test_the_picture_comes_back_after_a_blackout_without_more_latency(
    rough: Run, dark_s: tuple[float, float], until_s: float, back_ms: float
) -> None:
    check(
        within(rough, dark_s[0] - 1, until_s, dark_s),
        at_most("recover_ms", back_ms),
        at_most("latency_left_ms", 50),
        at_most("sessions", 1),
    )


def resources(daemon: Daemon) -> tuple[int, int]:
    """File descriptors and threads."""
    folder = Path(f"/proc/{daemon.pid}")
    return len(os.listdir(folder / "fd")), len(os.listdir(folder / "task"))


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[tuple[Ends, EmulatedLink]]:
    """Both daemons at work, and the link between them."""
    async with running(
        tmp_path, BASE, peer=DencPeer(), stream=STREAM, bitrate_bps=BITRATE_BPS, seed=SEED
    ) as ends_and_link:
        yield ends_and_link


def check_back(way_back: Reconnect) -> None:
    assert way_back.noticed_s < NOTICED_WITHIN_S, way_back
    assert way_back.picture_s < PICTURE_WITHIN_S, way_back


async def test_either_end_killed_is_noticed_replaced_and_leaves_nothing_behind(
    both: tuple[Ends, EmulatedLink],
) -> None:
    ends, _ = both
    for victim in (STREAMER, VIEWER, STREAMER):
        survivor = ends.daemon(VIEWER if victim == STREAMER else STREAMER)
        before = resources(survivor)
        check_back(await kill(ends, victim))
        grown = [now - then for now, then in zip(resources(survivor), before, strict=True)]
        assert max(grown) <= 0, f"{victim}: {grown} descriptors and threads more"


async def test_a_cut_link_is_noticed_by_both_ends_and_they_find_each_other_again(
    both: tuple[Ends, EmulatedLink],
) -> None:
    ends, link = both
    check_back(await darken(ends, link, BASE))
