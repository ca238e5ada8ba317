"""Pictures that came at their own times, for those who want a fixed number a second."""

from __future__ import annotations

TOLERANCE = 1.1  # pictures that one may be early or late: cameras are not exact
PAUSE_MAX_S = 1.0  # a longer pause, or a clock that was set, is cut out


class SteadyRate:
    """How often each picture is to be written, so that the time of the output is the camera's."""

    def __init__(self, fps: float) -> None:
        self._fps = fps
        self._origin_us: float | None = None
        self._written = 0

    def copies(self, captured_us: int) -> int:
        """0: leave it out, it came too early; more than 1: repeat the one before in between."""
        if self._origin_us is None:
            self._origin_us = captured_us
        late = (captured_us - self._origin_us) * self._fps / 1e6 - self._written
        if abs(late) > max(PAUSE_MAX_S * self._fps, TOLERANCE):
            self._origin_us, late = captured_us - self._written * 1e6 / self._fps, 0.0
        if late <= -TOLERANCE:
            return 0
        copies = 1 + (int(late) if late >= TOLERANCE else 0)
        self._written += copies
        return copies
