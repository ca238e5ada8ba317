"""Rate-quality plots of measured points, as PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter

from benches.channels import DENC, LABELS, LANCZOS, METHODS, X265, X265_HALF
from benches.points import MEASURES, Point
from benches.summary import table

AXES = {
    "psnr_y": "PSNR-Y, dB",
    "vmaf": "VMAF",
    "vmaf_neg": "VMAF-NEG",
    "lpips_sq": "LPIPS-sq (lower is better)",
    "dists_vgg": "DISTS-vgg (lower is better)",
}
TICKS = tuple(base * 10**power for power in range(5) for base in (1, 2, 5))  # kbit/s
LOOKS = {
    DENC: ("#c2185b", "o", "-"),
    LANCZOS: ("#f48fb1", "s", "--"),
    X265: ("#1565c0", "o", "-"),
    X265_HALF: ("#64b5f6", "s", "--"),
}


def mean_plot(points: Sequence[Point], path: Path) -> None:
    """The means over the clips, a panel per measure."""
    rows = table(points)
    curves: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for row in rows:
        for measure, value in row.measures.items():
            if value is not None:
                line = curves.setdefault(measure, {}).setdefault(row.method, [])
                line.append((row.kbps_720p, value))
    clips = len({point.clip for point in points})
    _plot(curves, f"mean over {clips} clips, 720p-equivalent kbit/s", path)


def clip_plot(points: Sequence[Point], clip: str, path: Path) -> None:
    """One clip, at its own rates."""
    curves: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for point in points:
        for measure in MEASURES:
            value = getattr(point, measure)
            if point.clip == clip and value is not None:
                line = curves.setdefault(measure, {}).setdefault(point.method, [])
                line.append((point.kbps, value))
    _plot(curves, f"{clip}, kbit/s", path)


def _plot(
    curves: dict[str, dict[str, list[tuple[float, float]]]], rate_label: str, path: Path
) -> None:
    shown = [measure for measure in MEASURES if measure in curves]
    figure = Figure(figsize=(4.6 * len(shown), 3.8))
    axes = figure.subplots(1, len(shown), squeeze=False)
    for axis, measure in zip(axes[0], shown, strict=True):
        _panel(axis, curves[measure], AXES[measure], rate_label)
    axes[0][0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def _panel(
    axis: Axes, lines: dict[str, list[tuple[float, float]]], title: str, rate_label: str
) -> None:
    seen = [rate for line in lines.values() for rate, _ in line]
    for method in METHODS:
        if method not in lines:
            continue
        color, marker, style = LOOKS[method]
        rates, values = zip(*sorted(lines[method]), strict=True)
        axis.plot(rates, values, style, color=color, marker=marker, ms=4, label=LABELS[method])
    axis.set_xscale("log")
    axis.set_xticks([rate for rate in TICKS if min(seen) <= rate <= max(seen)])
    axis.xaxis.set_major_formatter(ScalarFormatter())
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set_xlabel(rate_label)
    axis.set_title(title)
    axis.grid(alpha=0.3, which="both")
