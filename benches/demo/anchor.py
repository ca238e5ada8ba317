"""Plain x265 at the same bits: the same preset and tuning, at full size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benches.channels import X265, X265Channel
from benches.rates import RateSearch
from engines.evaluation.clips import Clip
from engines.frame import Planes


@dataclass(frozen=True, eq=False)
class Anchor:
    """The clip as x265 sends it."""

    pictures: tuple[Planes, ...]
    bits: int


def x265_at(bits: int, pictures: Sequence[Planes], fps: float) -> Anchor:
    """x265 medium zerolatency at the CRF at which these pictures take `bits` in all.

    Constant quality over a known clip is the best case for x265: the live stream it is compared
    with had to keep to its bitrate at every moment. It cannot go below what QP 51 takes.
    """
    channel = X265Channel(Clip("demo", fps, tuple(pictures)))
    _, stream = RateSearch(channel.encode).at(bits)
    return Anchor(tuple(channel.show(stream, X265)), stream.bits)
