"""What the points say together: means over the clips per rate, and one screen of text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from benches import compression
from benches.comparison import (
    BdRate,
    BdRates,
    at_rates,
    bd_rates,
    curves_of,
    headline,
    methods_in,
    pairs,
    worst_vmaf_neg,
)
from benches.measured import Measure, shown
from benches.methods import HULL, HULL_METHODS, X265_NATIVE, is_denc, label_of
from benches.points import Point

RATE_REACHED = 1.15  # a point that spends more than this over its target is marked
ON_SCREEN = ("psnr_y", "ms_ssim", "vmaf", "vmaf_neg", "xpsnr_y", "lpips_sq", "dists_vgg", "flicker")
LABEL_WIDTH, CELL_WIDTH = 36, 12


@dataclass(frozen=True)
class Row:
    """Mean over the clips of one method at one target rate."""

    target_kbps: float
    method: str
    clips: int
    missed: int  # clips that the method cannot code at so few bits
    kbps_720p: float
    measures: dict[str, float]  # those that every clip has


def table(points: Sequence[Point]) -> list[Row]:
    """A row per target rate and method, in that order; the hull has the quality of x265's best
    size at the target."""
    there = at_rates(points)
    rows = []
    for target in sorted({point.target_kbps for point in there}):
        at_target = [point for point in there if point.target_kbps == target]
        for method in methods_in(there):
            own = [point for point in at_target if point.method == method]
            if method == HULL:
                rows.append(_hull_row(target, there, at_target))
            elif own:
                rows.append(_row(target, method, own))
    return rows


def findings(points: Sequence[Point]) -> dict[str, Any]:
    """Everything that results.json has beside settings and points (`benches.points`)."""
    found, ratios = pairs(points), compression.ratios(points)
    return {
        **dict(headline(found)),
        "worst_vmaf_neg_vs_hull": {m: asdict(d) for m, d in worst_vmaf_neg(points).items()},
        "compression_ratio": {
            "label": compression.LABEL,
            "mean": [asdict(ratio) for ratio in compression.means(ratios)],
            "clips": [asdict(ratio) for ratio in ratios],
        },
        "pairs": [asdict(pair) for pair in found],
        "summary": {
            "means": [asdict(row) for row in table(points)],
            "bd_rates": {
                anchor: {
                    method: {name: asdict(value) for name, value in row.items()}
                    for method, row in by_method.items()
                }
                for anchor, by_method in bd_rates(found).items()
            },
        },
    }


def text(points: Sequence[Point]) -> str:
    """One screen: BD-rates, what is worst, the paper's ratio."""
    measures = shown({name for point in points for name in point.measures} & {*ON_SCREEN})
    clips = len({point.clip for point in points})
    lines = [
        f"BD-rate, mean over {clips} clip{'s' * (clips > 1)} (in how many the curves overlap);"
        " below 0 saves bits",
        _line("", [m.label.removesuffix(", dB").removesuffix(", levels") for m in measures]),
    ]
    for anchor, by_method in telling(bd_rates(pairs(points))).items():
        lines.append(f"against {label_of(anchor)}")
        for method, row in by_method.items():
            if is_denc(method) or anchor in (X265_NATIVE, HULL):
                cells = [percent(row.get(m.name)) for m in measures]
                lines.append(_line(f"  {label_of(method)}", cells))
    for method, worst in worst_vmaf_neg(points).items():
        way = "below" if worst.deficit > 0 else "above"
        lines.append(
            f"{label_of(method)} at its worst is {abs(worst.deficit):.1f} VMAF-NEG {way}"
            f" {label_of(HULL)}: {worst.clip} at {worst.target_kbps:g} kbit/s"
        )
    lines += _ratio_lines(points)
    lines.append("Rates count access units with side information, before RTP; 720p-equivalent.")
    return "\n".join(lines)


def telling(found: BdRates) -> BdRates:
    """Without the anchors that are only parts of the hull."""
    return {a: rows for a, rows in found.items() if a == X265_NATIVE or a not in HULL_METHODS}


def missed(point: Point) -> bool:
    """Whether the method cannot code the clip at so few bits."""
    return point.kbps_720p > RATE_REACHED * point.target_kbps


def number(value: float | None) -> str:
    """A measure, for people."""
    if value is None:
        return "-"
    return f"{value:.4f}" if abs(value) < 2 else f"{value:.2f}"


def percent(rate: BdRate | None) -> str:
    """A BD-rate and its clips, for people."""
    if rate is None or rate.percent is None:
        return "-"
    return f"{rate.percent:+.1f}% ({rate.clips})"


def _ratio_lines(points: Sequence[Point]) -> list[str]:
    """Of the first method of denc: every fidelity has the same bits."""
    means = compression.means(compression.ratios(points))
    ratios = [
        f"{ratio.ratio:.1f} at {ratio.target_kbps:g} kbit/s"
        for ratio in means
        if ratio.method == means[0].method
    ]
    return [f"{compression.LABEL}: {', '.join(ratios)}"] if ratios else []


def _row(target: float, method: str, points: Sequence[Point]) -> Row:
    return Row(
        target_kbps=target,
        method=method,
        clips=len(points),
        missed=sum(missed(point) for point in points),
        kbps_720p=fmean(point.kbps_720p for point in points),
        measures={
            measure.name: fmean(point.measures[measure.name] for point in points)
            for measure in _common(points)
        },
    )


def _hull_row(target: float, points: Sequence[Point], at_target: Sequence[Point]) -> Row:
    """Where not even the smallest size goes so low, the lowest there is."""
    clips = list(dict.fromkeys(point.clip for point in points))
    factor = {point.clip: point.kbps_720p / point.kbps for point in points}
    reached, values = dict[str, float](), dict[str, list[float]]()
    for measure in _common(at_target):
        curves = curves_of(points, measure)
        for clip in clips:
            hull = curves[clip, HULL]
            if hull is not None:
                lowest, highest = float(hull.rates[0]), float(hull.rates[-1])
                rate = min(max(target / factor[clip], lowest), highest)
                reached[clip] = max(rate * factor[clip], reached.get(clip, 0.0))
                quality = hull.quality_at(rate)
                assert quality is not None
                values.setdefault(measure.name, []).append(measure.sign * quality)
    return Row(
        target_kbps=target,
        method=HULL,
        clips=len(clips),
        missed=sum(rate > RATE_REACHED * target for rate in reached.values()),
        kbps_720p=fmean(reached.values()) if reached else target,
        measures={name: fmean(v) for name, v in values.items() if len(v) == len(clips)},
    )


def _common(points: Sequence[Point]) -> list[Measure]:
    """Measures that every point has."""
    return shown(set.intersection(*({*point.measures} for point in points)))


def _line(label: str, cells: Sequence[str]) -> str:
    return f"{label:<{LABEL_WIDTH}}" + "".join(f"{cell:>{CELL_WIDTH}}" for cell in cells)
