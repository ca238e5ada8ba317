"""A viewer that cannot keep up: pictures so many times too fast for one core that restores them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from benches import BenchError
from tests.net.ends import STREAMER, VIEWER
from tests.net.matrix import BASE
from tests.net.peers import DencPeer, Stream
from tests.net.place import HERE
from tests.net.shown import ShownPicture
from tests.soak.plan import Plan
from tests.soak.report import Result
from tests.soak.sample import Sample, figures_of, parse, watch
from tests.soak.trend import trend
from tests.soak.verdict import MET, MISSED, Line, of_trend

STREAM = Stream(848, 480)
SCALE = "2"  # pictures of full size are shown as they come where they cannot be restored in time
ENGINE = "lite"  # `auto` would leave the network that is too slow
BITRATE_BPS = 1_000_000
CALM_FPS, CALM_S = 2.0, 15.0  # to see what one picture takes
WARM_UP_S = 75.0  # figures look back a minute
STEP_S = 5.0
SLOPE_MS_PER_MIN, WAIT_MAX_MS = 1.0, 100.0
MINUTE_US = 60e6


async def overload(factor: float, seconds: float, plan: Plan) -> Result:
    """Runs it for so long after warming up; tells the seconds that passed. Raises BenchError where
    there is one core alone, or nothing is restored."""
    samples: dict[str, list[Sample]] = {STREAMER: [], VIEWER: []}
    waits: list[Mapping[str, float]] = []
    dropped = 0
    peer = _apart(plan.peer)
    calm = replace(plan.stream, fps=CALM_FPS)
    async with replace(plan, peer=peer, stream=calm).running(BASE) as (ends, _):
        await asyncio.sleep(CALM_S)
        calmly = await figures_of(ends.figures_ports[VIEWER])
        if calmly is None or "restore_ms" not in calmly:
            raise BenchError(f"{peer.engine} restored nothing in {CALM_S:g} s: see {plan.folder}")
        restore_ms = calmly["restore_ms"]["p50"]
    fast = replace(plan.stream, fps=round(1000 * factor / restore_ms, 2))
    async with replace(plan, peer=peer, stream=fast).running(BASE) as (ends, _):
        async for at, told in watch(ends, seconds + WARM_UP_S, STEP_S, plan.tell):
            for end, figures in told.items():
                samples[end].append(parse(figures, at))
                if end == VIEWER and at > WARM_UP_S:
                    waits.append(figures["wait_ms"])
                    dropped = figures.get("frames_dropped", 0)
        error = ends.exit_reason()
        shown = peer.shown(plan.folder)
    return Result(
        f"overload-{factor:g}",
        f"Restoring takes {restore_ms:.0f} ms on one core, pictures come {factor:g} times as fast: "
        f"{fast.size} at {fast.fps:g} frames/s, engine {peer.engine}.",
        "s",
        WARM_UP_S,
        samples,
        (),
        verdicts(shown, dropped, waits),
        error,
    )


def verdicts(
    shown: Sequence[ShownPicture], dropped: int, waits: Sequence[Mapping[str, float]]
) -> list[Line]:
    """Of pictures from all of the run, and of `wait_ms` as it was after warming up."""
    first_us = shown[0].shown_us + WARM_UP_S * 1e6 if shown else 0
    warm = [picture for picture in shown if picture.shown_us >= first_us]
    latencies_ms = [picture.latency_ms for picture in warm]
    minutes = [picture.shown_us / MINUTE_US for picture in warm]
    came = (len(shown) + dropped) / max(1, len(shown))
    pictures = f"{len(shown)} shown, {dropped} dropped: {came:.1f} times as many came"
    told = [Line("pictures", "", pictures, "")]
    if latencies_ms:
        p50, p95 = np.percentile(latencies_ms, (50, 95))
        latency = f"p50 {p50:.0f}, p95 {p95:.0f}, max {max(latencies_ms):.0f} ms"
        told.append(Line("latency", "", latency, ""))
    slope = trend(minutes, latencies_ms)
    told.append(of_trend("growth of the latency", slope, SLOPE_MS_PER_MIN, "ms a minute"))
    longest_ms = max((wait["max"] for wait in waits), default=float("inf"))
    usual_ms = float(np.median([wait["p95"] for wait in waits])) if waits else float("inf")
    verdict = MET if longest_ms <= WAIT_MAX_MS else MISSED
    result = f"{longest_ms:.0f} ms (p95 {usual_ms:.0f})"
    return [*told, Line("longest wait for restoration", f"<= {WAIT_MAX_MS:g} ms", result, verdict)]


def _apart(peer: DencPeer) -> DencPeer:
    """Each end on a core of its own, so that neither has the other's time."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise BenchError("an overload takes two cores, one for each end")
    ours, theirs = (("taskset", "-c", str(core)) for core in cores[:2])
    return replace(peer, scale=SCALE, place=replace(HERE, run_sender=ours, run_receiver=theirs))
