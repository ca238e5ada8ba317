"""Points of made-up curves."""

from collections.abc import Sequence
from dataclasses import replace

from benches.points import Point

POINT = Point(
    clip="head", method="x265-zerolatency", source="48 frames", target_kbps=150.0, bits=192_000,
    kbps=100.0, kbps_720p=151.0, frames=48, scale=1, quality=30.25, qp=None, encode_ms=5.0,
    show_ms=1.0, measure_s=3.0, measures={"psnr_y": 30.0, "vmaf": 40.0}, sampled={"ssim": 8},
)  # fmt: skip
RATES = (100.0, 200.0, 400.0, 800.0)


def curve(
    method: str, factor: float = 1.0, *, lift: float = 0.0, clip: str = "head",
    rates: Sequence[float] = RATES,
) -> list[Point]:  # fmt: skip
    """Quality rises with the target, `lift` higher, at `factor` times its bits."""
    return [
        replace(
            POINT, clip=clip, method=method, target_kbps=rate, bits=round(1000 * rate * factor),
            kbps=rate * factor, kbps_720p=rate * factor,
            measures={
                "psnr_y": 20 + rate / 50 + lift, "vmaf": 30 + rate / 20 + lift,
                "vmaf_neg": 28 + rate / 20 + lift, "lpips_sq": 0.6 - rate / 2000 - lift / 100,
            },
        )
        for rate in rates
    ]  # fmt: skip
