"""Rate-quality plots of measured points, as PNG, readable on white and on black."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter

from benches.comparison import at_rates
from benches.measured import Measure, shown
from benches.methods import HULL, LANCZOS, in_order, is_denc, label_of
from benches.points import Point
from benches.summary import table

Lines: TypeAlias = Mapping[str, Sequence[tuple[float, float]]]  # method -> (kbit/s, value)
Curves: TypeAlias = dict[str, dict[str, list[tuple[float, float]]]]  # measure -> Lines

TICKS = tuple(base * 10**power for power in range(5) for base in (1, 2, 5))  # kbit/s
COLUMNS = 4
INK = "#7d848c"  # of axes and text: seen on white and on black
LOOKS = {
    LANCZOS: ("#f48fb1", "s", "--"),
    "x265-zerolatency": ("#1e88e5", "o", "-"),
    "x265-default": ("#5e35b1", "o", "-"),
    "x265-1/2": ("#4fc3f7", ".", ":"),
    "x265-1/3": ("#4dd0e1", ".", ":"),
    "x265-1/4": ("#80cbc4", ".", ":"),
    HULL: ("#1e88e5", "", "--"),
    "svt-av1": ("#fb8c00", "^", "-"),
    "vp9": ("#7cb342", "v", "-"),
}
DENC_COLORS = ("#d81b60", "#00897b", "#c0a000", "#8d6e63")  # of denc's methods, as they come


def mean_curves(points: Sequence[Point]) -> Curves:
    """The means over the clips at each target rate, 720p-equivalent."""
    curves: Curves = {}
    for row in table(points):
        for measure, value in row.measures.items():
            line = curves.setdefault(measure, {}).setdefault(row.method, [])
            line.append((row.kbps_720p, value))
    return curves


def clip_curves(points: Sequence[Point], clip: str) -> Curves:
    """One clip, at its own rates."""
    curves: Curves = {}
    for point in at_rates(points):
        if point.clip == clip:
            for measure, value in point.measures.items():
                line = curves.setdefault(measure, {}).setdefault(point.method, [])
                line.append((point.kbps, value))
    return curves


def mean_label(points: Sequence[Point]) -> str:
    """Of the rates of `mean_curves`."""
    clips = len({point.clip for point in points})
    return f"mean over {clips} clip{'s' * (clips > 1)}, 720p-equivalent kbit/s"


def panel_png(lines: Lines, measure: Measure, rate_label: str) -> bytes:
    """One measure."""
    figure = Figure(figsize=(4.4, 3.3))
    _panel(figure.subplots(), lines, measure, rate_label)
    return _png(figure)


def sheet_png(curves: Curves, rate_label: str, path: Path) -> None:
    """All measures, with a legend."""
    measures = shown(curves)
    rows = -(-len(measures) // COLUMNS)
    figure = Figure(figsize=(4.4 * COLUMNS, 3.4 * rows + 0.8))
    axes = list(figure.subplots(rows, COLUMNS, squeeze=False).flat)
    for axis, measure in zip(axes, measures, strict=False):
        _panel(axis, curves[measure.name], measure, rate_label)
    for axis in axes[len(measures) :]:
        axis.set_axis_off()
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="upper center", ncols=4, frameon=False, labelcolor=INK)
    path.write_bytes(_png(figure, top=1 - 0.75 / figure.get_size_inches()[1]))


def looks(methods: Sequence[str]) -> dict[str, tuple[str, str, str]]:
    """Method -> colour, marker, line, in the order in which they are drawn."""
    ordered = in_order(methods)
    denc = [method for method in ordered if is_denc(method)]
    colors = {m: (DENC_COLORS[i % len(DENC_COLORS)], "o", "-") for i, m in enumerate(denc)}
    return {method: (LOOKS | colors)[method] for method in ordered}


def _png(figure: Figure, top: float = 1.0) -> bytes:
    figure.tight_layout(rect=(0, 0, 1, top))
    data = io.BytesIO()
    figure.savefig(data, dpi=110, transparent=True)
    return data.getvalue()


def _panel(axis: Axes, lines: Lines, measure: Measure, rate_label: str) -> None:
    seen = [rate for line in lines.values() for rate, _ in line]
    for method, (color, marker, style) in looks(list(lines)).items():
        rates, values = zip(*sorted(lines[method]), strict=True)
        axis.plot(
            rates, values, style, color=color, marker=marker, ms=4, lw=1.4, label=label_of(method)
        )
    axis.set_xscale("log")
    axis.set_xticks([rate for rate in TICKS if min(seen) <= rate <= max(seen)])
    axis.xaxis.set_major_formatter(ScalarFormatter())
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set_xlabel(rate_label, color=INK)
    axis.set_title(measure.title, color=INK)
    axis.tick_params(which="both", colors=INK)
    for spine in axis.spines.values():
        spine.set_color(INK)
    axis.grid(alpha=0.25, which="both", color=INK)
