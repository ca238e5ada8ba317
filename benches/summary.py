"""What the points say together: means over the clips per rate, and BD-rates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from benches.channels import DENC, LABELS, LANCZOS, METHODS, X265, X265_HALF
from benches.points import MEASURES, Point
from engines.evaluation.measures import LOWER_IS_BETTER
from engines.evaluation.rate import Curve, bd_rate

RATE_REACHED = 1.15  # a point that spends more than this over its target is marked
ANCHORS = (X265, X265_HALF, LANCZOS)


@dataclass(frozen=True)
class Row:
    """Mean over the clips of one method at one target rate."""

    target_kbps: float
    method: str
    clips: int
    missed: int  # clips that the method cannot code at so few bits
    kbps_720p: float
    measures: dict[str, float | None]


@dataclass(frozen=True)
class BdRate:
    """Mean over the clips of a BD-rate, percent, and how many clips had an overlap."""

    percent: float | None
    clips: int


def table(points: Sequence[Point]) -> list[Row]:
    """A row per target rate and method, in that order."""
    rows = []
    for target in sorted({point.target_kbps for point in points}):
        for method in METHODS:
            there = [p for p in points if (p.target_kbps, p.method) == (target, method)]
            if there:
                rows.append(_row(target, method, there))
    return rows


def gains(points: Sequence[Point]) -> dict[float, dict[str, float | None]]:
    """`denc` less Lanczos on the same stream: target rate -> measure -> mean difference."""
    rows = {(row.target_kbps, row.method): row.measures for row in table(points)}
    return {
        target: {m: _difference(restored[m], rows[target, LANCZOS][m]) for m in MEASURES}
        for (target, method), restored in rows.items()
        if method == DENC and (target, LANCZOS) in rows
    }


def bd_rates(points: Sequence[Point]) -> dict[str, dict[str, BdRate]]:
    """`denc` against every other method: anchor -> measure -> BD-rate."""
    return {
        anchor: {measure: _bd_rate(points, anchor, measure) for measure in MEASURES}
        for anchor in ANCHORS
        if any(point.method == anchor for point in points)
    }


def curve(points: Iterable[Point], measure: str) -> Curve | None:
    """The curve of one method on one clip; None where there are too few points."""
    sign = -1 if measure in LOWER_IS_BETTER else 1
    known = [(p.kbps, getattr(p, measure)) for p in points if getattr(p, measure) is not None]
    try:
        return Curve([rate for rate, _ in known], [sign * value for _, value in known])
    except ValueError:
        return None


def text(points: Sequence[Point]) -> str:
    """The summary as it is printed."""
    shown = [m for m in MEASURES if any(getattr(p, m) is not None for p in points)]
    lines = [_line(["target", "method", "kbit/s", "clips", *shown])]
    target = None
    for row in table(points):
        if target not in (None, row.target_kbps):
            lines.append("")
        target = row.target_kbps
        mark = f" ({row.missed} cannot go so low)" if row.missed else ""
        values = [_number(row.measures[measure]) for measure in shown]
        cells = [f"{target:g}", LABELS[row.method], f"{row.kbps_720p:.0f}", str(row.clips), *values]
        lines.append(_line(cells) + mark)
    lines += ["", "What restoring adds to the same stream enlarged by Lanczos, mean over clips:"]
    lines.append(_line(["target", "", "", "", *shown]))
    for target, added in gains(points).items():
        cells = ["-" if added[m] is None else f"{added[m]:+.3f}" for m in shown]
        lines.append(_line([f"{target:g}", "", "", "", *cells]))
    lines += ["", "BD-rate of denc, mean over clips (clips with an overlap):"]
    lines.append(_line(["", "against", "", "", *shown]))
    for anchor, found in bd_rates(points).items():
        cells = [_percent(found[measure]) for measure in shown]
        lines.append(_line(["", LABELS[anchor], "", "", *cells]))
    lines.append("Rates are 720p-equivalent (by pixels) and count access units, before RTP.")
    return "\n".join(lines)


def _difference(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b


def _row(target: float, method: str, points: Sequence[Point]) -> Row:
    measures: dict[str, float | None] = {}
    for measure in MEASURES:
        values = [getattr(point, measure) for point in points]
        measures[measure] = None if None in values else fmean(values)
    return Row(
        target_kbps=target,
        method=method,
        clips=len(points),
        missed=sum(p.kbps_720p > RATE_REACHED * target for p in points),
        kbps_720p=fmean(point.kbps_720p for point in points),
        measures=measures,
    )


def _bd_rate(points: Sequence[Point], anchor: str, measure: str) -> BdRate:
    found = []
    for clip in dict.fromkeys(point.clip for point in points):
        curves = [
            curve((p for p in points if (p.clip, p.method) == (clip, method)), measure)
            for method in (anchor, DENC)
        ]
        if curves[0] is not None and curves[1] is not None:
            found.append(bd_rate(curves[0], curves[1]))
    values = [value for value in found if value is not None]
    return BdRate(fmean(values) if values else None, len(values))


def _line(cells: Sequence[str]) -> str:
    widths = (7, 28, 7, 6)
    first = "".join(
        f"{cell:<{width}}" if width > 20 else f"{cell:>{width}} "
        for cell, width in zip(cells, widths, strict=False)
    )
    return first + "".join(f"{cell:>12}" for cell in cells[len(widths) :])


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if abs(value) < 2 else f"{value:.2f}"


def _percent(rate: BdRate) -> str:
    return "-" if rate.percent is None else f"{rate.percent:+.1f}% ({rate.clips})"
