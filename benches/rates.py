"""Finding the CRF at which a channel spends a given number of bits."""

from __future__ import annotations

import math
from collections.abc import Callable

from benches.channels import Stream

CRF_MIN, CRF_MAX = 8.0, 51.0
CRF_STEP = 0.25  # settings are tried on this grid
CRF_START = 30.0
CRF_PER_OCTAVE = 6.0  # x265 spends about half the bits for every 6
TOLERANCE = 0.03  # of the bits


class RateSearch:
    """Encodes at CRFs until the bits fit; streams are kept, so that searches share them."""

    def __init__(self, encode: Callable[[float], Stream]) -> None:
        self._encode = encode
        self._streams: dict[float, Stream] = {}
        self._found: dict[float, float] = {}  # bits -> CRF

    def at(self, bits: float) -> tuple[float, Stream]:
        """CRF and stream nearest to `bits`; at the end of x265's range the nearest there is."""
        if bits not in self._found:
            self._found[bits] = self._search(bits)
        crf = self._found[bits]
        return crf, self._streams[crf]

    def _search(self, bits: float) -> float:
        low, high = CRF_MIN - CRF_STEP, CRF_MAX + CRF_STEP  # bits fall as the CRF rises
        while high - low > CRF_STEP:
            guess = round(self._guess(bits) / CRF_STEP) * CRF_STEP
            crf = min(max(guess, low + CRF_STEP), high - CRF_STEP)
            ratio = self._stream(crf).bits / bits
            if abs(math.log(ratio)) <= TOLERANCE:
                break
            low, high = (crf, high) if ratio > 1 else (low, crf)
        return min(self._streams, key=lambda crf: abs(math.log(self._streams[crf].bits / bits)))

    def _stream(self, crf: float) -> Stream:
        if crf not in self._streams:
            self._streams[crf] = self._encode(crf)
        return self._streams[crf]

    def _guess(self, bits: float) -> float:
        """Where the line through the two nearest streams, in log bits, meets `bits`."""
        known = sorted(
            (abs(math.log2(s.bits / bits)), crf, math.log2(s.bits))
            for crf, s in self._streams.items()
        )
        if not known:
            return CRF_START
        _, crf, octaves = known[0]
        slope = -1 / CRF_PER_OCTAVE
        if len(known) > 1 and known[1][2] != octaves:
            slope = min((known[1][2] - octaves) / (known[1][1] - crf), slope / 4)
        return crf + (math.log2(bits) - octaves) / slope
