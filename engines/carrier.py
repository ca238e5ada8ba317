"""The carrier: H.265 through PyAV, x265 on the way out, libavcodec on the way in.

Low latency throughout: no B-frames, no look-ahead, one picture in and one access unit out,
parameter sets in front of every IRAP, so that a receiver can join at any of them.
"""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
from av.video.frame import PictureType

from engines.errors import CarrierError
from engines.frame import Planes, planes_from_video_frame, planes_to_video_frame
from engines.latent import SOURCE_MAX_HEIGHT, SOURCE_MAX_WIDTH
from engines.qp_offset import QpOffset

KEYFRAME_INTERVAL = 250  # frames; x265's own default
VBV_SECONDS = 0.5  # how much of the bitrate may leave at once
QP_TO_LAMBDA = 118  # libavutil's FF_QP2LAMBDA
PRESETS = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow",
)  # fmt: skip
# For pictures that a network restores: sample adaptive offset smooths what the network would have
# used, and most of psycho-visual optimisation is the network's business (docs/decisions.md).
RESTORED_PARAMS = (
    "sao=0", "psy-rd=1", "psy-rdoq=0", "ref=2", "me=hex", "subme=2", "aq-strength=0.5",
)  # fmt: skip
# x265's slower for such pictures: every shape of block and all references, but not its full rate
# distortion optimisation, which takes twice as long for a last percent.
SLOWER_PARAMS = (
    "rd=4", "tu-intra-depth=1", "tu-inter-depth=1", "limit-tu=0", "max-merge=3", "ref=4",
    "limit-refs=0", "limit-modes=0",
)  # fmt: skip
# Of a smaller latent's colour there is a sixteenth at the most: that is to be closer to the source.
SMALL_PARAMS = ("cbqpoffs=-3", "crqpoffs=-3")
# What ultrafast and superfast leave out and QP offsets need; the default of the others.
OFFSET_PARAMS = ("aq-mode=2", "aq-strength=1")
# QP over what x265 chooses, by place after the IRAP modulo four: what later pictures lean on is
# coded better than what they do not (hierarchical P; docs/decisions.md)
CASCADE = (0.0, 4.0, 3.0, 4.0)
IRAP_OFFSET = -2.0
WAVEFRONT_PIXELS = 400_000  # from which on rows are coded in parallel, at some bytes a row
FULL_SIZE_PRESET = "medium"  # of pictures at scale 1 that a network restores
LATENT_PRESET, SMALL_LATENT_PRESET = "slow", "slower"  # of the others
SMALL_LATENT_PIXELS = 110_000  # 1280x720 at scale 3, 848x480 at 2
# A stranger's parameter sets may ask for pictures of 200 MB; FFmpeg counts its own padding too.
MAX_PIXELS = 2 * SOURCE_MAX_WIDTH * SOURCE_MAX_HEIGHT
PLAIN_PRESET = "medium"  # of pictures that no network restores


def best_preset(width: int, height: int, scale: int, *, restored: bool) -> str:
    """What measures best for latents of a size and scale.

    Where the machine is fast enough; `slow` on the larger latents takes longer than `slower` on
    small ones.
    """
    if not restored:
        return PLAIN_PRESET
    if scale == 1:
        return FULL_SIZE_PRESET
    return SMALL_LATENT_PRESET if width * height <= SMALL_LATENT_PIXELS else LATENT_PRESET


@dataclass(frozen=True)
class CodedPicture:
    """One access unit in Annex B form.

    `qp` is the mean over the picture and those before it, since the IRAP and at most a cascade.
    """

    data: bytes
    irap: bool
    qp: float
    number: int


class CarrierEncoder:
    """x265, tuned for zero latency, at a bitrate (bit/s), a CRF or a fixed QP.

    `restored`: for pictures that a network restores, not for people's eyes; then `scale` tells how
    many times smaller than the source, each way, they are. `steered`: at a CRF
    that means the same QP in every scene, with an offset for each picture (`RatedEncoder`).
    """

    def __init__(
        self,
        width: int,
        height: int,
        fps: float,
        *,
        bitrate_bps: int | None = None,
        crf: float | None = None,
        qp: int | None = None,
        preset: str = "medium",
        restored: bool = False,
        scale: int = 1,
        steered: bool = False,
        keyframe_interval: int = KEYFRAME_INTERVAL,
        threads: int = 2,
    ) -> None:
        if [bitrate_bps, crf, qp].count(None) != 2:
            raise CarrierError("give the carrier one of bitrate_bps, crf and qp")
        if preset not in PRESETS:
            raise CarrierError(f"unknown x265 preset {preset!r}; known: {', '.join(PRESETS)}")
        context = av.CodecContext.create("libx265", "w")
        assert isinstance(context, av.VideoCodecContext)
        context.width, context.height, context.pix_fmt = width, height, "yuv420p"
        context.framerate = Fraction(fps).limit_denominator(1001)
        context.time_base = 1 / context.framerate
        params = [
            "log-level=error", "repeat-headers=1", "bframes=0", "scenecut=0",
            f"keyint={keyframe_interval}", f"min-keyint={min(keyframe_interval, 250)}",
            "info=0",  # 2.3 kB of x265's settings before every IRAP otherwise
            f"pools={threads}", f"frame-threads={1 if threads < 4 else 2}",
            f"wpp={int(threads > 1 and width * height >= WAVEFRONT_PIXELS)}",
            "colorprim=bt709", "transfer=bt709", "colormatrix=bt709", "range=limited",
        ]  # fmt: skip
        if restored or steered:
            params += OFFSET_PARAMS
        if restored:
            params += RESTORED_PARAMS + (SMALL_PARAMS if scale > 1 else ())
            params += SLOWER_PARAMS if preset == "slower" else ()
        if steered:
            params.append("qcomp=1")  # x265 would answer an offset by a lower QP otherwise
        if bitrate_bps is not None:
            kbps = max(1, round(bitrate_bps / 1000))
            vbv = max(1, round(kbps * VBV_SECONDS))
            params += [f"bitrate={kbps}", f"vbv-maxrate={kbps}", f"vbv-bufsize={vbv}"]
        elif crf is not None:
            params.append(f"crf={crf}")
        else:
            params.append(f"qp={qp}")
        context.options = {
            "preset": preset,
            "tune": "zerolatency",
            "forced-idr": "1",
            "x265-params": ":".join(params),
        }
        try:
            context.open()
        except av.FFmpegError as error:
            raise CarrierError(f"x265 refused {width}x{height}: {error}") from error
        self._context = context
        self._interval = keyframe_interval
        marks = restored or steered
        self._offset = QpOffset(width, height, context.time_base) if marks else None
        self._restored = restored
        self._place = 0  # of the next picture, after the IRAP
        self._qps: deque[float] = deque(maxlen=len(CASCADE))

    def next_place(self, *, irap: bool = False) -> int:
        """Place of the next picture in its cascade; -1 for an IRAP, due or asked for."""
        is_irap = irap or self._place in (0, self._interval)
        return -1 if is_irap else self._place % len(CASCADE)

    def cascade_offset(self, place: int) -> float:
        """QPs that a picture of a place gets for the sake of the others."""
        if not self._restored:
            return 0.0
        return IRAP_OFFSET if place < 0 else CASCADE[place]

    def encode(
        self, planes: Planes, number: int, *, irap: bool = False, offset: float = 0.0
    ) -> list[CodedPicture]:
        """Encode one picture; `number` must rise. With `irap` the picture starts anew (IDR).

        `offset` (QPs) adds to what the picture's place gives it; for a steered encoder.
        """
        picture = planes_to_video_frame(planes)
        place = self.next_place(irap=irap)
        if self._offset is not None:
            picture = self._offset.mark(picture, self.cascade_offset(place) + offset)
        self._place = 1 if place < 0 else self._place + 1
        picture.pts = number
        if irap:
            picture.pict_type = PictureType.I
        try:
            packets = self._context.encode(picture)
        except av.FFmpegError as error:
            raise CarrierError(f"x265 could not encode picture {number}: {error}") from error
        return [self._coded_picture(packet) for packet in packets]

    def close(self) -> list[CodedPicture]:
        """Flush: the pictures still inside."""
        return [self._coded_picture(packet) for packet in self._context.encode(None)]

    def _coded_picture(self, packet: av.Packet[Any]) -> CodedPicture:
        if packet.is_keyframe:
            self._qps.clear()
        self._qps.append(_qp(packet))
        qp = sum(self._qps) / len(self._qps)
        return CodedPicture(bytes(packet), packet.is_keyframe, qp, packet.pts or 0)


class CarrierDecoder:
    """libavcodec's H.265 decoder: an access unit in, its picture out at once."""

    def __init__(self, threads: int = 1) -> None:
        context = av.CodecContext.create("hevc", "r")
        assert isinstance(context, av.VideoCodecContext)
        context.options = {"max_pixels": str(MAX_PIXELS)}
        context.thread_count = threads
        context.thread_type = "SLICE"  # frame threads would hold pictures back
        context.flags |= av.codec.context.Flags.low_delay
        self._context = context

    def decode(self, data: bytes, number: int) -> list[tuple[int, Planes]]:
        """Pictures that an access unit completes, each with the number of its access unit.

        Raises CarrierError for data that does not decode; the decoder stays usable.
        """
        packet = av.Packet(data)
        packet.pts = packet.dts = number
        try:
            return [
                (number if picture.pts is None else picture.pts, planes_from_video_frame(picture))
                for picture in self._context.decode(packet)
            ]
        except av.FFmpegError as error:
            raise CarrierError(f"access unit {number} does not decode: {error}") from error


def _qp(packet: av.Packet[Any]) -> float:
    """The mean QP of a picture, as x265 reports it; 0 where it does not."""
    for side_data in packet.iter_sidedata():
        if side_data.data_type == "quality_stats":
            qp: int = struct.unpack_from("<I", bytes(side_data))[0]
            return qp / QP_TO_LAMBDA
    return 0.0
