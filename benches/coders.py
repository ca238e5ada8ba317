"""The codecs beside which denc is measured: encoders and decoders of whole clips, through PyAV.

    X265     H.265, preset medium, decoded by libavcodec
    SvtAv1   AV1 as SVT-AV1 codes it in real time, decoded by dav1d
    Vp9      VP9 as libvpx codes it in real time, decoded by libavcodec

Each codes at a constant quality in its own units, of which a higher number means fewer bits. With
`low_delay` every picture comes out before the next goes in, in order and without look-ahead.
Checked with the libraries in PyAV 18: x265 4.2, SVT-AV1 4.1, libvpx 1.16.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import av

from benches import BenchError
from engines.carrier import KEYFRAME_INTERVAL, WAVEFRONT_PIXELS
from engines.frame import Planes, planes_from_video_frame, planes_to_video_frame

THREADS = 2
X265_PRESET = "medium"
SVT_PRESET = 8  # 0 slowest, 13 fastest; above 9 SVT-AV1 itself warns of artefacts
SVT_EXTENDED_ABOVE = 63  # CRFs that only SVT-AV1's own parameters take
VP9_CPU_USED = 5  # the most thorough of the real-time speeds 5..8
VP9_Q_MAX = 63


@dataclass(frozen=True)
class QualityRange:
    """The settings that a codec takes, and what a search has to know about them."""

    low: float  # most bits
    high: float  # fewest bits
    step: float
    start: float  # a first guess
    per_octave: float  # about so much more halves the bits


@dataclass(frozen=True)
class Packet:
    """What the encoder gave for one picture, in coding order."""

    data: bytes
    number: int  # of the picture
    key: bool


class Coder(Protocol):
    """One codec with its settings. Both methods raise BenchError when it refuses."""

    @property
    def qualities(self) -> QualityRange: ...

    @property
    def settings(self) -> str:
        """How it codes, in words for a reader; points with other settings are not reused."""

    def encode(self, pictures: Sequence[Planes], fps: float, quality: float) -> list[Packet]:
        """A whole clip, pictures of one size with even sides."""

    def decode(self, packets: Iterable[bytes]) -> list[Planes]:
        """The pictures in the order in which they are shown."""


CRF = QualityRange(low=8.0, high=51.0, step=0.25, start=30.0, per_octave=6.0)


@dataclass(frozen=True)
class X265:
    """x265, medium: zerolatency, or with its default look-ahead and B-frames.

    `info=0` leaves out the 2.3 kB in which x265 tells its own options in front of each key frame:
    at 40 kbit/s they would be half a second of video, and nobody needs them. Small pictures are
    coded without wavefronts, which cost bytes in every row, as denc's carrier does.
    """

    low_delay: bool = True

    @property
    def qualities(self) -> QualityRange:
        return CRF

    @property
    def settings(self) -> str:
        mode = "zerolatency" if self.low_delay else "default look-ahead and B-frames"
        return (
            f"x265 {X265_PRESET}, {mode}, CRF, key frame every {KEYFRAME_INTERVAL},"
            f" without its info SEI, wavefronts from {WAVEFRONT_PIXELS} pixels on"
        )

    def encode(self, pictures: Sequence[Planes], fps: float, quality: float) -> list[Packet]:
        wavefronts = pictures[0].width * pictures[0].height >= WAVEFRONT_PIXELS
        params = [
            "log-level=error", "info=0", "repeat-headers=1", f"crf={quality:g}",
            f"keyint={KEYFRAME_INTERVAL}", f"pools={THREADS}", "frame-threads=1",
            f"wpp={int(wavefronts)}",
            "colorprim=bt709", "transfer=bt709", "colormatrix=bt709", "range=limited",
        ]  # fmt: skip
        options = {"preset": X265_PRESET}
        if self.low_delay:
            options["tune"] = "zerolatency"
            params += ["bframes=0", "scenecut=0", f"min-keyint={KEYFRAME_INTERVAL}"]
        return _encode("libx265", {**options, "x265-params": ":".join(params)}, pictures, fps)

    def decode(self, packets: Iterable[bytes]) -> list[Planes]:
        return _decode("hevc", packets)


@dataclass(frozen=True)
class SvtAv1:
    """SVT-AV1 with low-delay prediction (`pred-struct=1`), which has no look-ahead either.

    Its CRFs go up to 70 in quarter steps; FFmpeg's own option knows whole ones up to 63, so they
    go in as parameters.
    """

    @property
    def qualities(self) -> QualityRange:
        return QualityRange(low=1.0, high=70.0, step=0.25, start=50.0, per_octave=7.0)

    @property
    def settings(self) -> str:
        return (
            f"SVT-AV1 preset {SVT_PRESET}, low delay (pred-struct 1), CRF,"
            f" key frame every {KEYFRAME_INTERVAL}"
        )

    def encode(self, pictures: Sequence[Planes], fps: float, quality: float) -> list[Packet]:
        os.environ.setdefault("SVT_LOG", "1")  # errors only; it writes past every logger
        options = {
            "preset": str(SVT_PRESET),
            "crf": str(min(SVT_EXTENDED_ABOVE, round(quality))),
            "g": str(KEYFRAME_INTERVAL),
            "svtav1-params": f"pred-struct=1:lp={THREADS}:crf={quality:g}",
        }
        return _encode("libsvtav1", options, pictures, fps)

    def decode(self, packets: Iterable[bytes]) -> list[Planes]:
        return _decode("libdav1d", packets)


@dataclass(frozen=True)
class Vp9:
    """libvpx-vp9 at its real-time deadline, without look-ahead, at constant quality."""

    @property
    def qualities(self) -> QualityRange:
        return QualityRange(low=0.0, high=126.0, step=1.0, start=50.0, per_octave=9.0)

    @property
    def settings(self) -> str:
        return (
            f"VP9 (libvpx), deadline realtime, cpu-used {VP9_CPU_USED}, lag-in-frames 0, CQ,"
            f" beyond {VP9_Q_MAX} a rising least quantizer, key frame every {KEYFRAME_INTERVAL}"
        )

    def encode(self, pictures: Sequence[Planes], fps: float, quality: float) -> list[Packet]:
        options = {
            "deadline": "realtime",
            "cpu-used": str(VP9_CPU_USED),
            "lag-in-frames": "0",
            "auto-alt-ref": "0",
            "row-mt": "1",
            "crf": str(min(round(quality), VP9_Q_MAX)),
            "qmin": str(max(round(quality) - VP9_Q_MAX, 0)),  # CQ alone codes some pictures better
            "qmax": str(VP9_Q_MAX),
            "b": "0",
            "g": str(KEYFRAME_INTERVAL),
        }
        return _encode("libvpx-vp9", options, pictures, fps)

    def decode(self, packets: Iterable[bytes]) -> list[Planes]:
        return _decode("vp9", packets)


def _encode(
    codec: str, options: dict[str, str], pictures: Sequence[Planes], fps: float
) -> list[Packet]:
    try:
        context = av.CodecContext.create(codec, "w")
        assert isinstance(context, av.VideoCodecContext)
        context.width, context.height = pictures[0].width, pictures[0].height
        context.pix_fmt, context.thread_count = "yuv420p", THREADS
        context.framerate = Fraction(fps).limit_denominator(1001)
        context.time_base = 1 / context.framerate
        context.options = options
        packets = []
        for number, planes in enumerate(pictures):
            picture = planes_to_video_frame(planes)
            picture.pts = number
            packets += context.encode(picture)
        packets += context.encode(None)
    except (av.FFmpegError, ValueError) as error:  # ValueError: this FFmpeg has no such codec
        size = f"{pictures[0].width}x{pictures[0].height}"
        raise BenchError(f"{codec} cannot encode {size}: {error}") from error
    return [Packet(bytes(p), p.pts or 0, p.is_keyframe) for p in packets]


def _decode(codec: str, packets: Iterable[bytes]) -> list[Planes]:
    try:
        context = av.CodecContext.create(codec, "r")
        assert isinstance(context, av.VideoCodecContext)
        context.thread_count = THREADS
        pictures = [picture for data in packets for picture in context.decode(av.Packet(data))]
        pictures += context.decode(None)
    except (av.FFmpegError, ValueError) as error:
        raise BenchError(f"{codec} cannot decode what was encoded: {error}") from error
    return [planes_from_video_frame(picture) for picture in pictures]
