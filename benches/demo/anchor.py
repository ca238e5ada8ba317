"""Plain x265 at the same bits: the streamer's own carrier and rate control, at full size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engines.carrier import CarrierDecoder, CarrierEncoder, CodedPicture
from engines.frame import Planes

TRIES_MAX = 5
TOLERANCE = 0.02  # of the bits


@dataclass(frozen=True, eq=False)
class Anchor:
    """The clip as x265 sends it."""

    pictures: tuple[Planes, ...]
    bits: int


def x265_at(bits: int, pictures: Sequence[Planes], fps: float) -> Anchor:
    """x265 medium zerolatency at the bitrate at which these pictures take `bits` in all.

    Of the tries the nearest is given; x265 cannot go below what QP 51 takes.
    """
    seconds = len(pictures) / fps
    bitrate = bits / seconds
    best: list[CodedPicture] = []
    for _ in range(TRIES_MAX):
        coded = _encode(pictures, fps, round(bitrate))
        if not best or abs(_bits(coded) - bits) < abs(_bits(best) - bits):
            best = coded
        if abs(_bits(best) / bits - 1) <= TOLERANCE:
            break
        bitrate *= bits / _bits(coded)
    decoder = CarrierDecoder()
    shown = [planes for p in best for _, planes in decoder.decode(p.data, p.number)]
    return Anchor(tuple(shown), _bits(best))


def _encode(pictures: Sequence[Planes], fps: float, bitrate_bps: int) -> list[CodedPicture]:
    first = pictures[0]
    encoder = CarrierEncoder(first.width, first.height, fps, bitrate_bps=bitrate_bps)
    coded: list[CodedPicture] = []
    for number, planes in enumerate(pictures):
        coded += encoder.encode(planes, number)
    return coded + encoder.close()


def _bits(coded: Sequence[CodedPicture]) -> int:
    return 8 * sum(len(picture.data) for picture in coded)
