"""Real H.265 for the tests: a tiny seeded clip through libx265."""

from fractions import Fraction
from functools import cache

import av
import numpy as np

from link.access_unit import AccessUnit

WIDTH, HEIGHT, FPS = 128, 96, 25
TICKS = 90_000 // FPS


@cache
def access_units(count: int, *, keyframe_interval: int = 25, seed: int = 1) -> list[AccessUnit]:
    """Access units of `count` pictures of smooth moving noise, an IRAP each `keyframe_interval`."""
    context = av.CodecContext.create("libx265", "w")
    context.width, context.height, context.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    context.time_base = Fraction(1, FPS)
    context.options = {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "x265-params": f"keyint={keyframe_interval}:min-keyint={keyframe_interval}:bframes=0:"
        "repeat-headers=1:log-level=none:pools=none:frame-threads=1:scenecut=0:qp=30",
    }
    rows = np.random.default_rng(seed).integers(0, 256, (HEIGHT * 3 // 2, WIDTH), dtype=np.uint8)
    packets = []
    for number in range(count):
        picture = np.ascontiguousarray(np.roll(rows, number, axis=1))
        frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.pts = number
        packets += context.encode(frame)
    packets += context.encode(None)
    return [
        AccessUnit(bytes(packet), number * TICKS, bool(packet.is_keyframe))
        for number, packet in enumerate(packets)
    ]
