"""A delay that stays where it is although less is sent: no queue, but a longer path.

A queue of ours shrinks once less is sent than arrives, or it still grows. What a hand-over to
another network, a new route or another satellite adds does neither.
"""

from __future__ import annotations

from collections import deque

STEP_US = 250_000
STEPS = 6  # a second and a half
STEPS_MIN = 4  # with a packet: thin streams have few
FLAT_US = 20_000  # from step to step, or so many mean jitters: what still is no change
FLAT_JITTERS = 2.0
FLAT_MAX_US = 100_000  # a queue shrinks by more in STEPS


class Plateau:
    """Fed with one-way delays, in the order of sending."""

    def __init__(self) -> None:
        self._since_us: int | None = None  # less is sent
        self._lows: deque[tuple[int, int]] = deque()  # step, lowest delay in it

    def watch(self, since_us: int) -> None:
        """From now on less is sent."""
        self._since_us = since_us
        self._lows.clear()

    def end(self) -> None:
        """The queue is gone, or what was found has been used."""
        self._since_us = None
        self._lows.clear()

    def add(self, sent_us: int, delay_us: int) -> None:
        """One packet that came; the clocks need not agree."""
        if self._since_us is None or sent_us < self._since_us:
            return
        step = sent_us // STEP_US
        if self._lows and self._lows[-1][0] >= step:
            self._lows[-1] = (self._lows[-1][0], min(self._lows[-1][1], delay_us))
        else:
            self._lows.append((step, delay_us))
        while step - self._lows[0][0] > STEPS:
            self._lows.popleft()

    def is_found(self, jitter_us: float) -> bool:
        """Whether all that was sent in STEPS took as long."""
        if len(self._lows) <= STEPS_MIN or self._lows[-1][0] - self._lows[0][0] < STEPS:
            return False
        lows = [low for _, low in list(self._lows)[:-1]]  # the last step is not over
        flat_us = min(max(FLAT_US, FLAT_JITTERS * jitter_us), FLAT_MAX_US)
        return max(lows) - min(lows) <= flat_us
