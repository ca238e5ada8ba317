"""What holds for each access unit: the last side information, its number and its capture time.

Side information comes with IRAPs and about once a second. In between, capture time follows from
the RTP timestamp, which counts it at 90 kHz modulo 2^32, and the frame number from the frame rate.
Pure: bytes and times in, values out.
"""

from __future__ import annotations

from dataclasses import dataclass

from engines.codebook import BITS_MAX, Codebook
from engines.guide import Guide
from link.access_unit import AccessUnit
from link.errors import SideInfoError
from link.nal import split_annexb
from link.sequence import RTP_CLOCK_HZ
from link.side_info import SideInfo, find_side_info

RTP_MODULUS = 1 << 32


@dataclass(frozen=True)
class Stamped:
    """An access unit with what holds for it; `info` is None in a plain H.265 stream."""

    unit: AccessUnit
    sequence: int  # of the access units as received; a hole means that some were dropped here
    size_bytes: int  # as it travelled
    info: SideInfo | None
    codebook: Codebook
    guide: Guide | None
    number: int  # of the source's frame
    captured_us: int  # Unix time


@dataclass(frozen=True)
class _Anchor:
    """Where frame number and capture time are known exactly."""

    ticks: int
    number: int
    captured_us: int


class Timeline:
    """Stamps the access units of one session, in the order in which they came."""

    def __init__(self) -> None:
        self._info: SideInfo | None = None
        self._codebook = Codebook.uniform(BITS_MAX)
        self._guide: Guide | None = None
        self._anchor: _Anchor | None = None
        self._timestamp = 0
        self._ticks = 0  # the RTP timestamp without its wrap
        self._number = -1

    def stamp(
        self, unit: AccessUnit, sequence: int, size_bytes: int, now_us: int
    ) -> tuple[Stamped, SideInfoError | None]:
        """`now_us` (Unix time) stands in for the capture time where no side information gives it.

        The error tells of side information that was damaged; the last good one then holds on.
        """
        error = None
        try:
            info = find_side_info(split_annexb(unit.data))
            codebook, guide = self._codebook_of(info), self._guide_of(info, unit.irap)
        except SideInfoError as damage:
            info, codebook, error = None, self._codebook, damage
            guide = None if unit.irap else self._guide
        self._guide = guide
        self._advance(unit.rtp_timestamp)
        if info is not None:
            self._info, self._codebook = info, codebook
            self._anchor = _Anchor(self._ticks, info.frame_number, info.captured_us)
            self._number = info.frame_number
        else:
            self._number = self._next_number()
        if self._anchor is None:
            self._anchor = _Anchor(self._ticks, 0, now_us)
        stamped = Stamped(
            unit=unit,
            sequence=sequence,
            size_bytes=size_bytes,
            info=self._info,
            codebook=self._codebook,
            guide=guide,
            number=self._number,
            captured_us=self._anchor.captured_us
            + (self._ticks - self._anchor.ticks) * 1_000_000 // RTP_CLOCK_HZ,
        )
        return stamped, error

    def _codebook_of(self, info: SideInfo | None) -> Codebook:
        if info is None:
            return self._codebook
        if info.codebook is None:
            same = self._info is not None and (self._info.bits, self._info.network_id) == (
                info.bits,
                info.network_id,
            )
            return self._codebook if same else Codebook.uniform(info.bits)
        try:
            codebook = Codebook.from_bytes(info.codebook)
        except ValueError as error:
            raise SideInfoError(f"side information: {error}") from error
        if codebook.bits != info.bits:
            raise SideInfoError(f"side information: {info.bits} bits, codebook {codebook.bits}")
        return codebook

    def _guide_of(self, info: SideInfo | None, irap: bool) -> Guide | None:
        """A guide holds until the next one, or until an IRAP that brings none."""
        if info is None or info.guide is None:
            return None if irap else self._guide
        try:
            return Guide.from_bytes(info.guide)
        except ValueError as error:
            raise SideInfoError(f"side information: {error}") from error

    def _advance(self, timestamp: int) -> None:
        if self._anchor is not None:
            step = (timestamp - self._timestamp) % RTP_MODULUS
            self._ticks += step - RTP_MODULUS if step >= RTP_MODULUS // 2 else step
        self._timestamp = timestamp

    def _next_number(self) -> int:
        """From the time since the anchor; always at least one more than the frame before."""
        if self._info is None or self._anchor is None:
            return self._number + 1
        frames = round((self._ticks - self._anchor.ticks) * self._info.fps / RTP_CLOCK_HZ)
        return max(self._number + 1, self._anchor.number + frames)
