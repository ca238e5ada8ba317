"""Pictures as JPEG and PNG, in full range, as browsers read them."""

from __future__ import annotations

from fractions import Fraction

import av
from av.video.reformatter import ColorRange, Colorspace

from engines.frame import Planes, planes_to_video_frame

JPEG_QSCALE = 3  # 2 (best) .. 31
_QP_TO_LAMBDA = 118  # libavutil's FF_QP2LAMBDA


class JpegEncoder:
    """JPEG for one picture after another; a new size is followed."""

    def __init__(self) -> None:
        self._context: av.VideoCodecContext | None = None
        self._count = 0

    def encode(self, planes: Planes) -> bytes:
        picture = planes_to_video_frame(planes).reformat(
            format="yuvj420p",
            src_colorspace=Colorspace.ITU709,
            dst_colorspace=Colorspace.ITU601,  # what JFIF says
            src_color_range=ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
        )
        context = self._context
        if context is None or (context.width, context.height) != (planes.width, planes.height):
            self._context = context = _open("mjpeg", "yuvj420p", planes)
        self._count += 1
        picture.pts = self._count
        return b"".join(bytes(packet) for packet in context.encode(picture))


def encode_png(planes: Planes) -> bytes:
    """A PNG of the picture."""
    picture = planes_to_video_frame(planes).reformat(
        format="rgb24",
        src_colorspace=Colorspace.ITU709,
        src_color_range=ColorRange.MPEG,
        dst_color_range=ColorRange.JPEG,
    )
    context = _open("png", "rgb24", planes)
    packets = context.encode(picture) + context.encode(None)
    return b"".join(bytes(packet) for packet in packets)


def _open(codec: str, pixel_format: str, planes: Planes) -> av.VideoCodecContext:
    context = av.CodecContext.create(codec, "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = planes.width, planes.height, pixel_format
    context.time_base = Fraction(1, 1000)
    context.color_range = ColorRange.JPEG
    context.thread_count = 1  # frame threads would hold pictures back
    if codec == "mjpeg":
        quality = str(JPEG_QSCALE * _QP_TO_LAMBDA)
        context.options = {"flags": "+qscale", "global_quality": quality}
    return context
