"""What the points say: the BD-rate of every row, mean over the clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from benches.ablation.configurations import DEFAULT, Configuration
from benches.comparison import BdRate, curve
from benches.measured import MEASURES, Measure
from benches.methods import X265_NATIVE
from benches.points import Point
from engines.evaluation.rate import bd_rate

SHOWN = tuple(MEASURES[name] for name in ("psnr_y", "vmaf_neg", "lpips_sq", "dists_vgg"))


@dataclass(frozen=True)
class Row:
    """One configuration. BD-rates are by measure, in percent of bits at equal quality."""

    part: str
    label: str
    method: str
    against: str  # the method that it is compared with
    bd_rate: dict[str, BdRate]  # against that one; positive: costs more bits
    bd_rate_x265: dict[str, BdRate]  # against x265 medium zerolatency at full size


def rows_of(points: Sequence[Point], wanted: Sequence[Configuration]) -> list[Row]:
    """In the order of `wanted`; measures that were not taken are left out."""
    measures = [m for m in SHOWN if any(m.name in point.measures for point in points)]

    def against(method: str, anchor: str) -> dict[str, BdRate]:
        return {m.name: _mean(points, method, anchor, m) for m in measures}

    return [
        Row(
            row.part.value,
            row.label,
            row.method,
            row.against,
            {} if row.method == DEFAULT else against(row.method, row.against),
            against(row.method, X265_NATIVE),
        )
        for row in wanted
    ]


def _mean(points: Sequence[Point], method: str, anchor: str, measure: Measure) -> BdRate:
    found = []
    for clip in dict.fromkeys(point.clip for point in points):
        test, other = (
            curve((p for p in points if (p.clip, p.method) == (clip, name)), measure)
            for name in (method, anchor)
        )
        percent = None if test is None or other is None else bd_rate(other, test)
        if percent is not None:
            found.append(percent)
    return BdRate(fmean(found) if found else None, len(found))
