"""What queue has built up on the way, from when packets were sent and when they came.

Only differences of the two clocks count. The smallest one-way delay of the last half minute stands
for an empty path; what is above it for several bursts in a row is a queue, what is above it once
is jitter.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from link.lowest import Lowest

BURST_US = 5_000  # packets sent within it are one burst, told by its last (as in libwebrtc)
STANDING_US = 160_000  # bursts of so long (or STANDING_BURSTS) must all see a queue
STANDING_BURSTS = 4
TREND_US = 500_000
TREND_BURSTS = 6
BURSTING_SLOPE = -0.5  # of the delay; -1: what was sent one after the other comes together


@dataclass(frozen=True)
class PathDelay:
    """`standing_us`: the queue that several bursts saw; `slope`: growth of the delay, us per us;
    `is_bursting`: it all comes at once, after a scan or a hand-over."""

    standing_us: int
    slope: float
    is_bursting: bool


class DelayTrend:
    """Fed with every packet that came, in the order of sending."""

    def __init__(self) -> None:
        self._bursts: deque[tuple[int, int]] = deque()  # sent, one-way delay of the last packet
        self._empty = Lowest()  # one-way delay

    def add(self, sent_us: int, arrived_us: int) -> None:
        """One packet; the clocks need not agree."""
        delay_us = arrived_us - sent_us
        self._empty.add(sent_us, delay_us)
        if self._bursts and sent_us - self._bursts[-1][0] < BURST_US:
            self._bursts[-1] = (self._bursts[-1][0], max(self._bursts[-1][1], delay_us))
        else:
            self._bursts.append((sent_us, delay_us))
        while self._bursts[-1][0] - self._bursts[0][0] > TREND_US and len(self._bursts) > max(
            TREND_BURSTS, STANDING_BURSTS
        ):
            self._bursts.popleft()

    def delay(self) -> PathDelay:
        """As of the last packet."""
        if not self._bursts:
            return PathDelay(0, 0.0, is_bursting=False)
        newest_us = self._bursts[-1][0]
        recent = [burst for burst in self._bursts if newest_us - burst[0] <= STANDING_US]
        if len(recent) < STANDING_BURSTS:
            recent = list(self._bursts)[-STANDING_BURSTS:]
        if len(recent) < STANDING_BURSTS:
            return PathDelay(0, self._slope(), is_bursting=False)
        standing = min(delay for _, delay in recent) - self._empty.value()
        (first_us, first_delay), (_, last_delay) = recent[0], recent[-1]
        falls = (last_delay - first_delay) / (newest_us - first_us)
        return PathDelay(max(0, round(standing)), self._slope(), falls < BURSTING_SLOPE)

    def empty_us(self) -> float:
        """One-way delay of the empty path, clocks not compared."""
        return self._empty.value()

    def forget(self) -> None:
        """The path may have changed: what was seen of it does not count any longer."""
        self._bursts.clear()
        self._empty.clear()

    def _slope(self) -> float:
        """Least squares over the last half second."""
        if len(self._bursts) < TREND_BURSTS:
            return 0.0
        mean_sent = sum(s for s, _ in self._bursts) / len(self._bursts)
        mean_delay = sum(d for _, d in self._bursts) / len(self._bursts)
        spread = sum((s - mean_sent) ** 2 for s, _ in self._bursts)
        shared = sum((s - mean_sent) * (d - mean_delay) for s, d in self._bursts)
        return shared / spread if spread else 0.0
