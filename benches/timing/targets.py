"""What is to be reached on two CPU cores, and whether a run reached it.

streamer    network and carrier take no more CPU time per 1280x720 frame than x265 medium
            zerolatency takes at that size
viewer      `lite` holds 848x480 at 25 frames/s: its stages run side by side, so that the
            slowest one counts; their sum is told beside it
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benches.timing.result import SizeResult
from benches.timing.stages import ANCHOR, FPS
from benches.timing.stopwatch import total
from daemon.cores import cores

STREAMER_SIZE, CPU_RATIO_MAX = "1280x720", 1.0
VIEWER_SIZE, VIEWER_ENGINE = "848x480", "lite"
FRAME_MS = 1e3 / FPS


@dataclass(frozen=True)
class Target:
    """One of the two; `value` and `met` are None where the run cannot say."""

    name: str
    limit: float
    value: float | None
    met: bool | None
    text: str


def targets(results: Sequence[SizeResult]) -> tuple[Target, Target]:
    """Both, on the first runtime and batch that a run has of the right size and engine."""
    return _streamer(results), _viewer(results)


def _streamer(results: Sequence[SizeResult]) -> Target:
    what = f"streamer at {STREAMER_SIZE}: CPU time of network and carrier over x265's"
    result = next((r for r in results if r.size == STREAMER_SIZE and r.has_network), None)
    if result is None:
        return _unknown("streamer_cpu_ratio", CPU_RATIO_MAX, what, STREAMER_SIZE)
    stages = result.times.streamer(result.runtime)
    network, carrier = stages["network"].cpu_ms, stages["carrier"].cpu_ms
    x265 = result.times.stages[ANCHOR].cpu_ms
    ratio = (network + carrier) / x265
    return Target(
        "streamer_cpu_ratio",
        CPU_RATIO_MAX,
        ratio,
        ratio <= CPU_RATIO_MAX,
        f"{what} {ratio:.2f} ({network:.1f} + {carrier:.1f} over {x265:.1f} ms,"
        f" {result.runtime}), target {CPU_RATIO_MAX:.1f}: {_verdict(ratio <= CPU_RATIO_MAX)}",
    )


def _viewer(results: Sequence[SizeResult]) -> Target:
    what = f"viewer with {VIEWER_ENGINE} at {VIEWER_SIZE}, {FPS:g} frames/s"
    result = next(
        (r for r in results if r.size == VIEWER_SIZE and r.times.engine == VIEWER_ENGINE), None
    )
    if result is None:
        return _unknown("viewer_slowest_ms", FRAME_MS, what, f"{VIEWER_SIZE} {VIEWER_ENGINE}")
    stages = result.times.viewer(result.runtime, result.batch)
    slowest = max(stages, key=lambda name: stages[name].median_ms)
    slowest_ms, whole, count = stages[slowest].median_ms, total(stages), cores()
    return Target(
        "viewer_slowest_ms",
        FRAME_MS,
        slowest_ms,
        slowest_ms < FRAME_MS,
        f"{what}: slowest stage {slowest} {slowest_ms:.1f} ms ({result.runtime}, batch"
        f" {result.batch}), sum {whole.median_ms:.1f} ms, CPU {whole.cpu_ms:.1f} of the"
        f" {count * FRAME_MS:.0f} ms that {count} cores have, target below {FRAME_MS:g} ms:"
        f" {_verdict(slowest_ms < FRAME_MS)}",
    )


def _unknown(name: str, limit: float, what: str, lacks: str) -> Target:
    return Target(name, limit, None, None, f"{what}: not measured, this run has no {lacks}")


def _verdict(met: bool) -> str:
    return "met" if met else "missed"
