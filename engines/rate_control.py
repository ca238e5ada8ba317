"""Rate control of one stream: the QP offset of the next picture, from what the last ones cost.

    bits of coded pictures --> RateControl --QP offset--> RatedEncoder --> bits ...

x265's own rate control cannot be given another rate once it is open, short of a new encoder and an
IRAP (docs/decisions.md). So it codes at a constant QP and this moves it from picture to picture:
a new rate holds from the next picture on.

A picture is taken to cost exp(c + d - r * offset) bits: c is followed from picture to picture, d
belongs to its place in the cascade. The offset is that at which a whole cascade costs what the
rate allows, less what earlier pictures took too much (a leaky bucket that should be empty).
"""

from __future__ import annotations

import math

BITS_PER_QP = 0.14  # r, measured on training videos: 5 QPs halve the bits
PAY_BACK_S = 1.0  # time in which a debt is paid
DEBT_MAX_S = 1.0  # that it may become because the rate falls
CREDIT_S = 0.25  # of the rate may be saved up at the most
SPEND_RANGE = (0.35, 1.6)  # of the rate, while a debt is paid or savings are spent
FOLLOW = 0.3  # of what a picture tells goes into c
SURPRISE_MAX = 4.0  # times what was expected, as far as it is believed at once
FOLLOW_PLACE = 0.05  # of what it tells goes into d
STEP_DOWN, STEP_UP = 2.0, 3.0  # QPs from picture to picture: what saves bits is more urgent
IRAP_SHARE_S = 0.12  # an IRAP after the first should cost no more than the rate of so many seconds
OFFSET_GRAIN = 0.5  # QPs
INTERVAL_RANGE_US = (4_000, 1_000_000)  # between pictures
FOLLOW_INTERVAL = 0.1
PICTURE_BITS_MIN = 64


class RateControl:
    """Of pictures in cascades of `places`; place -1 is an IRAP. Times are of capture, us.

    `low` and `high` bound the offset; `first` is that of the very first picture, for want of
    anything better. `fps` is what to expect until pictures have come.
    """

    def __init__(
        self, bitrate_bps: float, fps: float, *, places: int, low: float, high: float, first: float
    ) -> None:
        self._low, self._high = low, high
        self._bitrate_bps = bitrate_bps
        self._interval_us = 1e6 / fps
        self._debt = 0.0  # bits, at the last picture
        self._last_us: int | None = None
        self._places = [0.0] * places  # d
        self._cost: float | None = None  # c
        self._irap_cost: float | None = None  # the same of an IRAP
        self._offset = first
        self._free = False  # to move up by more than a step

    def set_bitrate(self, bitrate_bps: float) -> None:
        """From the next picture on. A debt stays the same in bits, unless that stopped pictures for
        longer than `DEBT_MAX_S`: a path that fell so far has carried or lost those bits by then."""
        self._free = self._free or bitrate_bps < self._bitrate_bps
        kept_s = max(DEBT_MAX_S, self._debt / self._bitrate_bps)
        self._bitrate_bps = bitrate_bps
        self._debt = min(self._debt, kept_s * bitrate_bps)

    def debt_s(self, now_us: int) -> float:
        """Seconds of the rate that pictures so far took too much; below 0: saved."""
        passed_s = 0.0 if self._last_us is None else max(0, now_us - self._last_us) / 1e6
        return max(self._debt / self._bitrate_bps - passed_s, -CREDIT_S)

    def offset(self, place: int, now_us: int) -> float:
        """The offset of the picture to be coded next, captured at `now_us`."""
        if place < 0 and self._irap_cost is not None:
            wanted = self._fitting(self._irap_cost, IRAP_SHARE_S * self._bitrate_bps)
            return self._rounded(max(self._offset, wanted))
        if place >= 0 and self._cost is not None:
            spread = sum(math.exp(d) for d in self._places) / len(self._places)
            self._move(self._fitting(self._cost + math.log(spread), self._allowed_bits(now_us)))
        return self._rounded(self._offset)

    def coded(self, place: int, offset: float, bits: int, now_us: int) -> None:
        """A picture, captured at `now_us`, was coded at an offset."""
        self._debt = self.debt_s(now_us) * self._bitrate_bps + bits
        if self._last_us is not None:
            interval_us = min(
                max(now_us - self._last_us, INTERVAL_RANGE_US[0]), INTERVAL_RANGE_US[1]
            )
            self._interval_us += FOLLOW_INTERVAL * (interval_us - self._interval_us)
        self._last_us = now_us
        cost = math.log(max(bits, PICTURE_BITS_MIN)) + BITS_PER_QP * offset
        if place < 0:
            self._irap_cost = cost
            return
        told = cost - self._places[place]
        if self._cost is None:
            self._cost = told
            return
        self._places[place] += FOLLOW_PLACE * (told - self._cost)
        # of the mean of the bits, not of their logarithms: that would be too little
        ratio = min(math.exp(told - self._cost), SURPRISE_MAX)
        self._cost += FOLLOW * (ratio - 1)

    def _allowed_bits(self, now_us: int) -> float:
        """What pictures may cost now, on average.

        The debt counts the picture before as unpaid until its own time has passed.
        """
        fair = self._bitrate_bps * self._interval_us / 1e6
        spend = 1 - self.debt_s(now_us) / PAY_BACK_S
        return fair * min(max(spend, SPEND_RANGE[0]), SPEND_RANGE[1])

    def _fitting(self, cost: float, bits: float) -> float:
        return (cost - math.log(bits)) / BITS_PER_QP

    def _move(self, wanted: float) -> None:
        up = self._high - self._low if self._free else STEP_UP
        self._free = False
        self._offset += min(max(wanted - self._offset, -STEP_DOWN), up)
        self._offset = min(max(self._offset, self._low), self._high)

    def _rounded(self, offset: float) -> float:
        offset = min(max(offset, self._low), self._high)
        return round(offset / OFFSET_GRAIN) * OFFSET_GRAIN
