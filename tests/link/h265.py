"""Real H.265 for the tests: a tiny seeded clip through libx265."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from functools import cache
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from link.access_unit import AccessUnit

WIDTH, HEIGHT, FPS = 128, 96, 25
TICKS = 90_000 // FPS


def coded(
    pictures: Iterable[npt.NDArray[np.uint8]], fps: int, keyframe_interval: int, parameters: str
) -> list[av.Packet[Any]]:
    """I420 pictures, (H * 3 / 2, W) of one size, through a plain encoder, a packet each."""
    context: av.VideoCodecContext | None = None
    packets: list[av.Packet[Any]] = []
    for number, picture in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.pts = number
        if context is None:
            context = _encoder(frame.width, frame.height, fps, keyframe_interval, parameters)
        packets += context.encode(frame)
    return packets + (context.encode(None) if context is not None else [])


def _encoder(
    width: int, height: int, fps: int, keyframe_interval: int, parameters: str
) -> av.VideoCodecContext:
    context = av.CodecContext.create("libx265", "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.time_base = Fraction(1, fps)
    context.options = {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "x265-params": f"keyint={keyframe_interval}:min-keyint={keyframe_interval}:bframes=0:"
        f"repeat-headers=1:log-level=none:pools=none:frame-threads=1:scenecut=0:{parameters}",
    }
    return context


@cache
def access_units(count: int, *, keyframe_interval: int = 25, seed: int = 1) -> list[AccessUnit]:
    """Access units of `count` pictures of smooth moving noise, an IRAP each `keyframe_interval`."""
    rows = np.random.default_rng(seed).integers(0, 256, (HEIGHT * 3 // 2, WIDTH), dtype=np.uint8)
    moving = (np.ascontiguousarray(np.roll(rows, number, axis=1)) for number in range(count))
    packets = coded(moving, FPS, keyframe_interval, "qp=30")
    return [
        AccessUnit(bytes(packet), number * TICKS, bool(packet.is_keyframe))
        for number, packet in enumerate(packets)
    ]
