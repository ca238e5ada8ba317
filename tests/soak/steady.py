"""The soak: hours at one link, with a reconnect now and then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tests.net.ends import STREAMER, VIEWER, Reconnect, darken
from tests.net.matrix import BASE
from tests.net.peers import Stream
from tests.soak.plan import Plan
from tests.soak.report import Result
from tests.soak.sample import Sample, parse, watch
from tests.soak.verdict import HOUR_S, MEMORY_MIB_PER_HOUR, Line, of_growth, of_reconnects
from viewer.latency import STAGE_FIGURES

STREAM = Stream(192, 112)
STAGES = (*STAGE_FIGURES, "sink_ms")
BITRATE_BPS = 300_000
SAMPLES = 720  # of a run, at most one in a second
WARM_UP_MAX_S = RECONNECT_EVERY_MAX_S = HOUR_S


async def soak(seconds: float, loss_percent: float, plan: Plan) -> Result:
    """Runs it; `plan.tell` gets the seconds that passed since it was told last."""
    knobs = replace(BASE, loss_percent=loss_percent)
    warm_up_s = min(WARM_UP_MAX_S, seconds / 4)
    every_s = min(RECONNECT_EVERY_MAX_S, seconds / 3)
    step_s = max(1.0, seconds / SAMPLES)
    samples: dict[str, list[Sample]] = {STREAMER: [], VIEWER: []}
    reconnects: list[Reconnect] = []
    newest: dict[str, Mapping[str, Any]] = {}
    async with plan.running(knobs) as (ends, link):
        next_reconnect_s = every_s
        async for at, told in watch(ends, seconds, step_s, plan.tell):
            for end, figures in told.items():
                newest[end] = figures
                samples[end].append(parse(figures, at))
            if at >= next_reconnect_s:
                reconnects.append(await darken(ends, link, knobs))
                next_reconnect_s += every_s
        error = ends.exit_reason()
    lines = of_growth(samples, warm_up_s, HOUR_S, MEMORY_MIB_PER_HOUR, "an hour")
    lines += of_reconnects(reconnects)
    lines += _pictures(samples[VIEWER])
    lines += stage_lines(newest.get(VIEWER, {}))
    return Result(
        "soak",
        f"{seconds / HOUR_S:.2f} h, {loss_percent:g}% of loss both ways, round trip 100 ms, "
        f"{plan.stream.size} at {plan.stream.fps:g} frames/s, engine {plan.peer.engine}; "
        f"{len(reconnects)} reconnects.",
        "s",
        warm_up_s,
        samples,
        reconnects,
        lines,
        error,
    )


def _pictures(samples: list[Sample]) -> list[Line]:
    """Not goals of their own: that something was shown while memory was watched."""
    if len(samples) < 2:
        return []
    first, last = samples[0], samples[-1]
    rate = (last.frames - first.frames) / (last.at - first.at)
    latencies = [s.latency_ms for s in samples if s.latency_ms is not None]
    told = f"{latencies[0]:.0f} ms, {latencies[-1]:.0f} ms" if latencies else "-"
    return [
        Line("pictures shown", "", f"{last.frames}, {rate:.1f} a second", ""),
        Line("latency p95 at first, at last", "", told, ""),
    ]


def stage_lines(figures: Mapping[str, Any]) -> list[Line]:
    """Where the time of a picture went, in the last minute."""
    times = {name.removesuffix("_ms"): figures[name] for name in STAGES if name in figures}
    told = [f"{name} {value['p50']:.1f} ({value['p95']:.1f})" for name, value in times.items()]
    return [Line("ms of the last minute, p50 (p95)", "", ", ".join(told), "")] if told else []
