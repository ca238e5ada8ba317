"""The carrier at a bitrate that may change from picture to picture, without an IRAP."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace

from engines.carrier import CASCADE, CarrierEncoder, CodedPicture
from engines.frame import Planes
from engines.rate_control import RateControl

BASE_QP = 36  # of the open encoder; offsets count from here
QP_LOW, QP_HIGH = 12.0, 51.0
FIRST_IRAP_SHARE_S = 0.25  # of the rate: nothing is shown before it
FIRST_QP = 37.0  # of an IRAP of FIRST_BITS a pixel, on hard pictures
FIRST_BITS = 0.35
CARRIED_SHARE = 0.6  # of an offset that shows in x265's mean QP, before it was seen
CARRIED_FOLLOW = 0.1
CARRIED_LEAST = 3.0  # QPs of offset from which the share can be told


@dataclass(frozen=True)
class _Sent:
    place: int
    offset: float
    cascade: float
    captured_us: int


class RatedEncoder:
    """A CarrierEncoder under RateControl; see there for the parameters."""

    def __init__(
        self,
        width: int,
        height: int,
        fps: float,
        *,
        bitrate_bps: float,
        preset: str = "medium",
        restored: bool = False,
        scale: int = 1,
        threads: int = 2,
    ) -> None:
        self._encoder = CarrierEncoder(
            width, height, fps,
            crf=BASE_QP, preset=preset, restored=restored, scale=scale, steered=True,
            threads=threads,
        )  # fmt: skip
        self._control = RateControl(
            bitrate_bps,
            fps,
            places=len(CASCADE),
            low=QP_LOW - BASE_QP,
            high=QP_HIGH - BASE_QP,
            first=_first_qp(bitrate_bps, width * height) - BASE_QP,
        )
        self._sent: dict[int, _Sent] = {}  # inside the encoder
        self._lately: deque[_Sent] = deque(maxlen=len(CASCADE))
        self._carried = CARRIED_SHARE

    def debt_s(self, now_us: int) -> float:
        """Seconds of the rate that pictures so far took too much, at a time of capture."""
        return self._control.debt_s(now_us)

    def set_bitrate(self, bitrate_bps: float) -> None:
        """From the next picture on, bit/s."""
        self._control.set_bitrate(bitrate_bps)

    def encode(
        self, planes: Planes, number: int, captured_us: int, *, irap: bool = False
    ) -> list[CodedPicture]:
        """As of CarrierEncoder; pictures need not come at regular times."""
        place = self._encoder.next_place(irap=irap)
        offset = self._control.offset(place, captured_us)
        cascade = self._encoder.cascade_offset(place)
        self._sent[number] = _Sent(place, offset, cascade, captured_us)
        return self._out(self._encoder.encode(planes, number, irap=irap, offset=offset))

    def close(self) -> list[CodedPicture]:
        """As of CarrierEncoder."""
        return self._out(self._encoder.close())

    def _out(self, pictures: list[CodedPicture]) -> list[CodedPicture]:
        return [self._told(picture) for picture in pictures]

    def _told(self, picture: CodedPicture) -> CodedPicture:
        """With the QP that residuals were coded at, as an encoder without offset would tell it.

        x265's mean counts blocks without a residual at the QP of the slice, which knows no offset.
        """
        sent = self._sent.pop(picture.number)
        self._control.coded(sent.place, sent.offset, 8 * len(picture.data), sent.captured_us)
        if picture.irap:
            self._lately.clear()
        self._lately.append(sent)
        offset = sum(item.offset for item in self._lately) / len(self._lately)
        cascade = sum(item.cascade for item in self._lately) / len(self._lately)
        if abs(offset + cascade) >= CARRIED_LEAST:
            seen = min(max((picture.qp - BASE_QP) / (offset + cascade), 0.0), 1.0)
            self._carried += CARRIED_FOLLOW * (seen - self._carried)
        qp = BASE_QP + offset + self._carried * cascade
        return replace(picture, qp=min(max(qp, 0.0), QP_HIGH))


def _first_qp(bitrate_bps: float, pixels: int) -> float:
    """For the first IRAP, of which nothing is known yet: as for a hard picture."""
    bits = FIRST_IRAP_SHARE_S * bitrate_bps / pixels
    return min(max(FIRST_QP - 5 * math.log2(bits / FIRST_BITS), QP_LOW), QP_HIGH)
