"""Restored pictures as H.264 for those who watch live: every browser, every SFU."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
from av.video.frame import PictureType

from daemon.pts import Timestamps
from engines.frame import planes_to_video_frame
from viewer.picture import Shown
from viewer.sinks.colours import tell_colours
from viewer.sinks.even import even

MILLISECOND = Fraction(1, 1000)
KEY_INTERVAL_MS = 2000  # for who joins at an SFU behind us: its requests for key frames do not come
OPTIONS = {
    "preset": "superfast",  # 30 ms at 720p on one slow core; veryfast needs half as much again
    "tune": "zerolatency",
    "crf": "22",
    "maxrate": "4M",
    "bufsize": "2M",
    "forced-idr": "1",
}
NOMINAL_FPS = 25  # x264 spreads its bits by this; timestamps tell when pictures were taken
THREADS = 2  # slices of one picture: no picture is held back


class H264Encoder:
    """Constrained Baseline, parameter sets in front of every IDR; a new size begins anew."""

    def __init__(self) -> None:
        self._context: av.VideoCodecContext | None = None
        self._times = Timestamps()
        self._key_ms = -KEY_INTERVAL_MS

    def encode(self, shown: Shown, *, key: bool) -> av.Packet[Any] | None:
        """The picture as one packet in Annex B, timed by its capture; with `key` an IDR."""
        planes = even(shown.frame.planes)
        context = self._context
        if context is None or (context.width, context.height) != (planes.width, planes.height):
            self._context = context = _open(planes.width, planes.height)
            key = True
        picture = planes_to_video_frame(planes)
        picture.pts = self._times.at(shown.frame.captured_us)
        picture.time_base = MILLISECOND
        if key or picture.pts - self._key_ms >= KEY_INTERVAL_MS:
            picture.pict_type = PictureType.I
            self._key_ms = picture.pts
        packets = context.encode(picture)
        return packets[0] if packets else None


def _open(width: int, height: int) -> av.VideoCodecContext:
    context = av.CodecContext.create("libx264", "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.time_base = MILLISECOND
    context.framerate = Fraction(NOMINAL_FPS)
    context.profile = "Baseline"
    context.thread_count = THREADS
    context.options = OPTIONS
    tell_colours(context)
    return context
