"""Plain x265 at the same bits and at full size, twice: at its best, and as it would be live.

At its best: constant quality over a clip that is known beforehand. Live: the streamer's own
settings and rate control, which hold the bitrate at every moment; what denc itself is under.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benches.channels import CoderChannel
from benches.coders import X265
from benches.methods import X265_NATIVE
from benches.rates import RateSearch
from engines.carrier import CarrierDecoder, CarrierEncoder, CodedPicture
from engines.evaluation.clips import Clip
from engines.frame import Planes

LIVE_TRIES = 3
LIVE_TOLERANCE = 0.02  # of the bits


@dataclass(frozen=True, eq=False)
class Anchor:
    """The clip as x265 sends it."""

    pictures: tuple[Planes, ...]
    bits: int


def x265_at(bits: int, pictures: Sequence[Planes], fps: float) -> Anchor:
    """x265 medium zerolatency at the CRF at which these pictures take `bits` in all.

    It cannot go below what QP 51 takes.
    """
    channel = CoderChannel(Clip("demo", fps, tuple(pictures)), X265())
    _, stream = RateSearch(channel.encode, channel.qualities).at(bits)
    return Anchor(tuple(channel.show(stream, X265_NATIVE)), stream.bits)


def x265_live(bits: int, pictures: Sequence[Planes], fps: float) -> Anchor:
    """x265 medium zerolatency at the bitrate at which these pictures take nearly `bits` in all."""
    bitrate = bits * fps / len(pictures)
    best: list[CodedPicture] = []
    for _ in range(LIVE_TRIES):
        coded = _encode_live(pictures, fps, round(bitrate))
        if not best or abs(_bits(coded) - bits) < abs(_bits(best) - bits):
            best = coded
        if abs(_bits(best) / bits - 1) <= LIVE_TOLERANCE:
            break
        bitrate *= bits / _bits(coded)
    decoder = CarrierDecoder()
    shown = [planes for p in best for _, planes in decoder.decode(p.data, p.number)]
    return Anchor(tuple(shown), _bits(best))


def _encode_live(pictures: Sequence[Planes], fps: float, bitrate_bps: int) -> list[CodedPicture]:
    first = pictures[0]
    encoder = CarrierEncoder(first.width, first.height, fps, bitrate_bps=bitrate_bps)
    coded = [p for number, planes in enumerate(pictures) for p in encoder.encode(planes, number)]
    return coded + encoder.close()


def _bits(coded: Sequence[CodedPicture]) -> int:
    return 8 * sum(len(picture.data) for picture in coded)
