"""The results as printed: a column per size and engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from benches.timing.result import SizeResult
from benches.timing.stages import ANCHOR, GUIDE, RECEIVING, SENDING
from benches.timing.stopwatch import Times, total

ANCHOR_TITLE = "x265 medium zerolatency, native"
NAME_WIDTH, CELL_WIDTH = 36, 22


def table(results: Sequence[SizeResult]) -> str:
    """Milliseconds per frame by stage, sums, frames/s and memory."""
    columns = [dict(_rows(result)) for result in results]
    names = list(dict.fromkeys(name for column in columns for name in column))
    lines = [_line("ms per frame, median (CPU ms)", [result.title for result in results])]
    lines += [_line(name, [column.get(name, "-") for column in columns]) for name in names]
    return "\n".join(lines)


def _rows(result: SizeResult) -> Iterator[tuple[str, str]]:
    times = result.times
    yield "  capture", _times(times.stages["capture"])
    for runtime, network in times.networks.items():
        yield f"  network, {runtime}", _times(network.encode)
    for name in (*SENDING, *RECEIVING):
        yield f"  {name}", _times(times.stages[name])
    for runtime, network in times.networks.items():
        for batch, restore in network.restore.items():
            yield f"  restore, {runtime}, batch {batch}", _times(restore)
    yield "  sink", _times(times.stages["sink"])
    for runtime, network in times.networks.items():
        yield from _sum(f"streamer, {runtime}", times.streamer(runtime))
        for batch in network.restore:
            yield from _sum(f"viewer, {runtime}, batch {batch}", times.viewer(runtime, batch))
    anchor = times.stages[ANCHOR]
    yield from _sum(ANCHOR_TITLE, {ANCHOR: anchor})
    for runtime in times.networks:
        cpu_ms = total(times.streamer(runtime)).cpu_ms
        yield f"streamer over x265, CPU, {runtime}", f"{cpu_ms / anchor.cpu_ms:.2f}"
    if GUIDE in times.stages:
        yield "guide, ms once a second", _times(times.stages[GUIDE])
    for runtime, memory in result.memory.items():
        yield f"network, {runtime}, peak MiB", _mib(memory.encode_mib)
        for batch, mib in memory.restore_mib.items():
            yield f"restore, {runtime}, batch {batch}, peak MiB", _mib(mib)
    if result.live is not None:
        yield "denc-stream alone, frames/s", f"{result.live.streamer_fps:.0f}"
        yield "denc-stream, peak MiB", _mib(result.live.streamer_mib)
        yield "denc-view, peak MiB", _mib(result.live.viewer_mib)


def _sum(title: str, stages: Mapping[str, Times]) -> Iterator[tuple[str, str]]:
    """The sum, and the frames/s of stages one after the other and side by side."""
    whole, slowest_ms = total(stages), max(times.median_ms for times in stages.values())
    yield title, _times(whole)
    fps = f"{1e3 / whole.median_ms:.0f}"
    if len(stages) > 1:
        fps += f" (side by side {1e3 / slowest_ms:.0f})"
    yield f"  frames/s, {title.partition(' medium')[0]}", fps


def _times(times: Times) -> str:
    return f"{times.median_ms:.1f} ({times.cpu_ms:.1f})"


def _mib(mib: float | None) -> str:
    return f"{mib:.0f}" if mib else "-"


def _line(name: str, cells: Sequence[str]) -> str:
    return f"{name:<{NAME_WIDTH}}" + "".join(f"{cell:>{CELL_WIDTH}}" for cell in cells)
