"""The stages as stacked bars, a panel per size and engine, beside x265: wall and CPU time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benches.timing.result import SizeResult
from benches.timing.stages import ANCHOR
from benches.timing.stopwatch import Times
from benches.timing.targets import FRAME_MS

COLORS = {
    "capture": "#b0bec5",
    "network": "#c2185b",
    "carrier": "#1565c0",
    "payload": "#455a64",
    "depayload": "#455a64",
    "decode": "#64b5f6",
    "restore": "#f06292",
    "sink": "#90a4ae",
    ANCHOR: "#0d47a1",
}


def speed_plot(results: Sequence[SizeResult], path: Path) -> None:
    """Write the bars of every runtime and batch as a PNG file."""
    figure = Figure(figsize=(4.8 * len(results), 7.6))
    axes = figure.subplots(2, len(results), squeeze=False)
    for column, result in enumerate(results):
        bars = _bars(result)
        walls = {title: _ms(stages, cpu=False) for title, stages in bars.items()}
        cpus = {title: _ms(stages, cpu=True) for title, stages in bars.items()}
        _panel(axes[0][column], walls, f"{result.title}\nwall ms per frame, median")
        _panel(axes[1][column], cpus, "CPU ms per frame, mean")
        axes[0][column].axhline(FRAME_MS, color="black", lw=0.8, ls=":")
    handles: dict[str, Artist] = {}
    for axis in figure.axes:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    figure.legend(
        list(handles.values()), list(handles), loc="lower center", ncols=len(handles), fontsize=8
    )
    figure.tight_layout(rect=(0, 0.04, 1, 1))
    figure.savefig(path, dpi=110)


def _bars(result: SizeResult) -> dict[str, Mapping[str, Times]]:
    times = result.times
    bars: dict[str, Mapping[str, Times]] = {}
    for runtime, network in times.networks.items():
        bars[f"streamer\n{runtime}"] = times.streamer(runtime)
        for batch in network.restore:
            bars[f"viewer\n{runtime}\nbatch {batch}"] = times.viewer(runtime, batch)
    return bars | {"x265\nmedium\nnative": {ANCHOR: times.stages[ANCHOR]}}


def _ms(stages: Mapping[str, Times], *, cpu: bool) -> dict[str, float]:
    return {name: times.cpu_ms if cpu else times.median_ms for name, times in stages.items()}


def _panel(axis: Axes, bars: Mapping[str, Mapping[str, float]], title: str) -> None:
    labelled = set[str]()
    for place, stages in enumerate(bars.values()):
        bottom = 0.0
        for name, ms in stages.items():
            label = None if name in labelled else name
            axis.bar(place, ms, bottom=bottom, color=COLORS[name], width=0.7, label=label)
            labelled.add(name)
            bottom += ms
        axis.text(place, bottom, f"{bottom:.0f}", ha="center", va="bottom", fontsize=8)
    axis.set_title(title, fontsize=10)
    axis.set_xticks(range(len(bars)), list(bars), fontsize=7)
    axis.grid(axis="y", alpha=0.3)
