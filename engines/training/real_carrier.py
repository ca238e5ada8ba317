"""Training's latents through real x265 and back: the check of the proxy, and its stand-in's truth.

Clips of a batch are coded side by side, an encoder each; x265 and libavcodec leave Python's lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engines.carrier import CASCADE, CarrierDecoder, CarrierEncoder, best_preset
from engines.frame import Planes
from engines.networks.pipeline import PlaneTensors
from engines.training.proxy import Carried

FPS = 25
PICTURES_MAX = 16  # of a clip: a batch waits for its slowest


@dataclass(frozen=True)
class CodedClip:
    """A clip as x265 left it: pictures, bits and QP of each."""

    pictures: tuple[Planes, ...]
    bits: tuple[int, ...]
    qps: tuple[float, ...]


@dataclass(frozen=True)
class RealBatch:
    """Decoded planes (N, T, 1, h, w), bits (N, T) and QPs (N, T) of a batch's clips."""

    planes: PlaneTensors
    bits: Tensor
    qps: Tensor


def code_clip(
    pictures: Sequence[Planes], scale: int, *, qp: int | None = None, crf: float | None = None
) -> CodedClip:
    """One clip of latents with the streamer's settings for a scale, at a constant QP or a CRF.

    Raises RuntimeError if x265 or the decoder keeps pictures back.
    """
    width, height = pictures[0].width, pictures[0].height
    encoder = CarrierEncoder(
        width,
        height,
        FPS,
        qp=qp,
        crf=crf,
        preset=best_preset(width, height, scale, restored=True),
        restored=True,
        scale=scale,
        threads=1,
    )
    decoder = CarrierDecoder()
    shown, bits, qps = [], [], []
    for number, planes in enumerate(pictures):
        for picture in encoder.encode(planes, number):
            bits.append(8 * len(picture.data))
            qps.append(picture.qp)
            shown += [p for _, p in decoder.decode(picture.data, picture.number)]
    if not len(shown) == len(bits) == len(pictures):
        raise RuntimeError(f"x265: {len(bits)}, decoder: {len(shown)} of {len(pictures)} pictures")
    return CodedClip(tuple(shown), tuple(bits), _own_qps(qps))


class RealCarrier:
    """A pool of x265 encoders for batches of short clips."""

    def __init__(self, workers: int = 2) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="x265")

    def code(self, planes: PlaneTensors, scale: int, crfs: Sequence[float]) -> RealBatch:
        """Code latents (N, T, 1, h, w), 0..255 float, T <= PICTURES_MAX, a CRF a clip."""
        if planes[0].shape[1] > PICTURES_MAX:
            raise ValueError(f"clips of {planes[0].shape[1]} pictures; at most {PICTURES_MAX}")
        y, u, v = (_as_bytes(plane) for plane in planes)
        clips = [
            [Planes(*picture) for picture in zip(*clip, strict=True)]
            for clip in zip(y, u, v, strict=True)
        ]
        coded = list(
            self._pool.map(
                lambda job: code_clip(job[0], scale, crf=job[1]), zip(clips, crfs, strict=True)
            )
        )
        device = planes[0].device
        channels = [
            np.stack([[p.channels[i] for p in clip.pictures] for clip in coded])[:, :, None]
            for i in range(3)
        ]
        shown = [torch.from_numpy(c).to(device).float() for c in channels]
        return RealBatch(
            (shown[0], shown[1], shown[2]),
            torch.tensor([clip.bits for clip in coded], device=device).float(),
            torch.tensor([clip.qps for clip in coded], device=device).float(),
        )


def with_real_values(proxy: Carried, real: RealBatch) -> Carried:
    """Real x265's pictures and bits, with the gradients of the proxy.

    Bits are rescaled as in sandwiched compression: R = N * stop_gradient(R_real / N).
    """
    y, u, v = (p + (r - p).detach() for p, r in zip(proxy.planes, real.planes, strict=True))
    bits = proxy.bits * (real.bits / proxy.bits.clamp(min=1.0)).detach()
    return Carried((y, u, v), bits, proxy.elements)


def _own_qps(means: Sequence[float]) -> tuple[float, ...]:
    """The pictures' own QPs from what the carrier says (`CodedPicture.qp`)."""
    window, before = len(CASCADE), 0.0
    own: list[float] = []
    for number, mean in enumerate(means):
        total = mean * min(number + 1, window)
        left_out = own[number - window] if number >= window else 0.0
        own.append(total - before + left_out)
        before = total
    return tuple(own)


def _as_bytes(plane: Tensor) -> npt.NDArray[np.uint8]:
    """(N, T, 1, h, w) float to (N, T, h, w) whole values."""
    rounded = plane.detach()[:, :, 0].clamp(0, 255).round()
    out: npt.NDArray[np.uint8] = rounded.to(torch.uint8).cpu().numpy()
    return out
