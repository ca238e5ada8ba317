"""Objective quality of a clip against its reference.

PSNR, UIQI and flicker are computed here; VMAF, VMAF-NEG, XPSNR, SSIM and MS-SSIM come from FFmpeg
(`engines.evaluation.libvmaf`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from engines.evaluation import EvaluationError, libvmaf
from engines.evaluation.flicker import flicker
from engines.evaluation.sampling import spread
from engines.evaluation.uiqi import uiqi
from engines.frame import Plane, Planes

PSNR_MAX_DB = 100.0  # of equal pictures; as libvmaf's 60 dB cap, but out of the way
LUMA_WEIGHT = 6  # of PSNR-YUV, to 1 and 1 of chroma
STRUCTURE_FRAMES = 8  # spread over a clip, for SSIM, MS-SSIM and UIQI


@dataclass(frozen=True)
class ClipMeasures:
    """Means over the frames of a clip, higher is better but for flicker; None where not taken."""

    frames: int
    psnr_y: float  # dB, mean of the frames' values
    vmaf: float  # 0..100, model vmaf_v0.6.1
    vmaf_neg: float  # 0..100, model vmaf_v0.6.1neg: sharpening does not lift it
    psnr_yuv: float | None = None  # dB, (6 Y + U + V) / 8
    xpsnr_y: float | None = None  # dB
    ssim: float | None = None  # libvmaf's float_ssim, as the next two over the sampled frames
    ms_ssim: float | None = None  # libvmaf's float_ms_ssim; None below 176 pixels
    uiqi: float | None = None  # -1..1
    flicker: float | None = None  # 8-bit levels, lower is better; None of a single frame


def measure(
    test: Sequence[Planes],
    reference: Sequence[Planes],
    *,
    thorough: bool = False,
    structure_frames: int = STRUCTURE_FRAMES,
    threads: int = 2,
) -> ClipMeasures:
    """Measure `test` against `reference`, same number and size of pictures.

    `thorough` adds all that may be None, at about twice the time; SSIM, MS-SSIM and UIQI look at
    `structure_frames` frames, spread over them. Raises EvaluationError when the clips do not
    match or FFmpeg fails.
    """
    _check_clips(test, reference)
    with ThreadPoolExecutor(1) as beside:  # FFmpeg is a process of its own
        computed = beside.submit(_computed, test, reference, structure_frames if thorough else 0)
        found = libvmaf.vmaf(test, reference, threads=threads)
        if thorough:
            numbers = spread(len(reference), structure_frames)
            some, of_these = [test[n] for n in numbers], [reference[n] for n in numbers]
            found |= libvmaf.structure(some, of_these, threads=threads)
            found["xpsnr_y"] = min(PSNR_MAX_DB, libvmaf.xpsnr_y(test, reference))
    return ClipMeasures(frames=len(test), **found, **computed.result())  # type: ignore[arg-type]


def psnr(test: Plane, reference: Plane) -> float:
    """PSNR of two 8-bit planes of the same shape, dB; PSNR_MAX_DB when they are equal."""
    error = mean_squared_error(test, reference)
    if error == 0:
        return PSNR_MAX_DB
    return min(PSNR_MAX_DB, 10 * math.log10(255**2 / error))


def mean_squared_error(test: Plane, reference: Plane) -> float:
    """Of two 8-bit planes of the same shape, in squared levels."""
    error = np.subtract(test, reference, dtype=np.float32)
    return float(np.mean(np.square(error), dtype=np.float64))


def _computed(
    test: Sequence[Planes], reference: Sequence[Planes], structure_frames: int
) -> dict[str, float | None]:
    """PSNR-Y, and with `structure_frames` the others that need no FFmpeg."""
    both = list(zip(test, reference, strict=True))
    psnr_y = _mean(psnr(a.y, b.y) for a, b in both)
    if not structure_frames:
        return {"psnr_y": psnr_y}
    chroma = _mean(psnr(a.u, b.u) + psnr(a.v, b.v) for a, b in both)
    some = [both[number] for number in spread(len(both), structure_frames)]
    return {
        "psnr_y": psnr_y,
        "psnr_yuv": (LUMA_WEIGHT * psnr_y + chroma) / (LUMA_WEIGHT + 2),
        "uiqi": _mean(uiqi(a.y, b.y) for a, b in some),
        "flicker": flicker(test, reference),
    }


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def _check_clips(test: Sequence[Planes], reference: Sequence[Planes]) -> None:
    if not reference or len(test) != len(reference):
        raise EvaluationError(f"{len(test)} pictures to compare with {len(reference)}")
    shapes = {planes.y.shape for planes in (*test, *reference)}
    if len(shapes) != 1:
        raise EvaluationError(f"pictures of different sizes: {sorted(shapes)}")
