"""The compression ratio as the DeNC++ paper counts it: bits of x265 at CRF 28 over those of denc.

The two are not at equal quality, and the ratio grows with every bit that is left out: it stands
beside the figures at equal quality, with PSNR-Y and VMAF of both, for comparison with the paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from benches.comparison import at_rates
from benches.methods import CRF28, is_denc
from benches.points import Point

LABEL = "Compression ratio as in DeNC++ (not at equal quality)"


@dataclass(frozen=True)
class Ratio:
    """One method of denc at one rate, on a clip or (`clip` is None) as the mean over the clips."""

    clip: str | None
    method: str
    target_kbps: float
    ratio: float
    psnr_y: float
    vmaf: float
    x265_psnr_y: float
    x265_vmaf: float


def ratios(points: Sequence[Point]) -> list[Ratio]:
    """Per clip, method of denc and rate; none where x265 at CRF 28 was not measured."""
    references = {point.clip: point for point in points if point.method == CRF28}
    return [
        Ratio(
            clip=point.clip,
            method=point.method,
            target_kbps=point.target_kbps,
            ratio=references[point.clip].bits / point.bits,
            psnr_y=point.measures["psnr_y"],
            vmaf=point.measures["vmaf"],
            x265_psnr_y=references[point.clip].measures["psnr_y"],
            x265_vmaf=references[point.clip].measures["vmaf"],
        )
        for point in at_rates(points)
        if is_denc(point.method) and point.clip in references
    ]


def means(found: Sequence[Ratio]) -> list[Ratio]:
    """Per method and rate the mean over the clips."""
    rows = []
    for method, rate in dict.fromkeys((ratio.method, ratio.target_kbps) for ratio in found):
        there = [r for r in found if (r.method, r.target_kbps) == (method, rate)]
        rows.append(
            Ratio(
                clip=None,
                method=method,
                target_kbps=rate,
                ratio=fmean(r.ratio for r in there),
                psnr_y=fmean(r.psnr_y for r in there),
                vmaf=fmean(r.vmaf for r in there),
                x265_psnr_y=fmean(r.x265_psnr_y for r in there),
                x265_vmaf=fmean(r.x265_vmaf for r in there),
            )
        )
    return rows
