"""Finding the quality setting at which a channel spends a given number of bits."""

from __future__ import annotations

import math
from collections.abc import Callable

from benches.channels import Stream
from benches.coders import QualityRange

TOLERANCE = 0.04  # of the bits


class RateSearch:
    """Encodes at settings of a range until the bits fit; streams are kept, so that searches share
    them."""

    def __init__(self, encode: Callable[[float], Stream], qualities: QualityRange) -> None:
        self._encode = encode
        self._range = qualities
        self._streams: dict[float, Stream] = {}
        self._found: dict[float, float] = {}  # bits -> setting

    def at(self, bits: float) -> tuple[float, Stream]:
        """Setting and stream nearest to `bits`; at the end of the range the nearest there is."""
        if bits not in self._found:
            self._found[bits] = self._search(bits)
        quality = self._found[bits]
        return quality, self._streams[quality]

    def at_quality(self, quality: float) -> Stream:
        """The stream of a setting."""
        if quality not in self._streams:
            self._streams[quality] = self._encode(quality)
        return self._streams[quality]

    def _search(self, bits: float) -> float:
        step = self._range.step
        low, high = self._range.low - step, self._range.high + step  # bits fall as it rises
        while high - low > step:
            guess = round(self._guess(bits) / step) * step
            quality = min(max(guess, low + step), high - step)
            ratio = self.at_quality(quality).bits / bits
            if abs(math.log(ratio)) <= TOLERANCE:
                break
            low, high = (quality, high) if ratio > 1 else (low, quality)
        return min(self._streams, key=lambda q: abs(math.log(self._streams[q].bits / bits)))

    def _guess(self, bits: float) -> float:
        """Where the line through the two nearest streams, in log bits, meets `bits`."""
        known = sorted(
            (abs(math.log2(s.bits / bits)), quality, math.log2(s.bits))
            for quality, s in self._streams.items()
        )
        if not known:
            return self._range.start
        _, quality, octaves = known[0]
        slope = -1 / self._range.per_octave
        if len(known) > 1 and known[1][2] != octaves:
            slope = min((known[1][2] - octaves) / (known[1][1] - quality), slope / 4)
        return quality + (math.log2(bits) - octaves) / slope
