"""When frames are due: pacing of recorded sources, thinning of live ones."""

from __future__ import annotations

import time
from collections.abc import Callable

from link.clock import Clock

LATE_US = 100_000  # a paced frame that is later than this is skipped


class Pacer:
    """Gives the frames of a recorded source their capture times: start + number / fps.

    Paced, it waits for each frame's time and skips frames that are too late.
    """

    def __init__(
        self,
        fps: float,
        *,
        paced: bool,
        clock: Clock,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._fps = fps
        self._paced = paced
        self._clock = clock
        self._sleep = sleep
        self._start_us = clock()

    def captured_us(self, number: int) -> int:
        return self._start_us + round(number * 1e6 / self._fps)

    def due(self, number: int) -> bool:
        """Wait until the frame is due; false when its time is long past."""
        if not self._paced:
            return True
        ahead_us = self.captured_us(number) - self._clock()
        if ahead_us > 0:
            self._sleep(ahead_us / 1e6)
        return ahead_us >= -LATE_US


class Thinner:
    """Takes at most `fps` frames a second from a live source of `source_fps`, evenly."""

    def __init__(self, fps: float, source_fps: float) -> None:
        self._interval_us = 1e6 / fps
        self._early_us = 1e6 / source_fps / 2  # the frame nearest to its time
        self._due_us = 0.0

    def takes(self, captured_us: int) -> bool:
        """Whether the frame captured now belongs to the stream."""
        if captured_us < self._due_us - self._early_us:
            return False
        if captured_us > self._due_us + self._interval_us:  # the first, or after a pause
            self._due_us = captured_us
        self._due_us += self._interval_us
        return True
