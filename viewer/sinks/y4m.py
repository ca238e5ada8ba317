"""The restored pictures, raw, as YUV4MPEG2 (y4m): what FFmpeg, mpv, x264 and others read."""

from __future__ import annotations

import logging
from collections.abc import Callable
from fractions import Fraction

import numpy as np

from daemon.log import event
from engines.frame import Planes
from viewer.picture import Shown
from viewer.sinks.fit import fitted
from viewer.sinks.pipe import Pipe
from viewer.sinks.steady_rate import SteadyRate

FALLBACK_FPS = 25.0  # of a stream that does not tell
FPS_DENOMINATOR_MAX = 1001

_log = logging.getLogger(__name__)


class Y4m:
    """Writes to a pipe. The header of y4m has one size and one rate for all that follows:

    - pictures of another size are fitted into that of the first, with black borders;
    - where the stream left pictures out, for up to a second, the one before is repeated.
    """

    name = "stdout"
    capacity = 2  # a picture while the last one is on its way; live, the newest wins

    def __init__(self, pipe: Pipe, gone: Callable[[], None]) -> None:
        """`gone` is called, once, when the reader has left."""
        self._pipe = pipe
        self._gone = gone
        self._has_left = False
        self._rate: SteadyRate | None = None
        self._last: Planes | None = None

    def show(self, value: Shown) -> None:
        if self._has_left:
            return
        try:
            self._write(value)
        except BrokenPipeError:
            self._has_left = True
            event(_log, "the reader of stdout has left")
            self._gone()

    def close(self) -> None:
        self._pipe.close()

    def _write(self, value: Shown) -> None:
        planes = value.frame.planes
        if self._rate is None:
            fps = value.decoded.fps or FALLBACK_FPS
            self._rate = SteadyRate(fps)
            self._pipe.write(header(planes.width, planes.height, fps))
        if self._last is not None:
            planes = fitted(planes, (self._last.width, self._last.height))
        copies = self._rate.copies(value.frame.captured_us)
        for _ in range(copies - 1):
            self._picture(self._last or planes)
        if copies:
            self._picture(planes)
        self._last = planes

    def _picture(self, planes: Planes) -> None:
        self._pipe.write(b"FRAME\n")
        for plane in planes.channels:
            self._pipe.write(np.ascontiguousarray(plane).data)


def header(width: int, height: int, fps: float) -> bytes:
    """The first line of the stream."""
    rate = Fraction(fps).limit_denominator(FPS_DENOMINATOR_MAX)
    return (
        f"YUV4MPEG2 W{width} H{height} F{rate.numerator}:{rate.denominator} Ip A1:1 "
        "C420mpeg2 XCOLORRANGE=LIMITED\n"
    ).encode()
