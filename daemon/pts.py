"""Capture times to the rising millisecond timestamps of a recording."""

from __future__ import annotations

FORWARD_MAX_US = 3_600_000_000  # a longer pause is a clock that was set, not a pause
FALLBACK_STEP_MS = 40


class Timestamps:
    """Milliseconds since the first picture, strictly rising.

    A capture clock that is set back, or far ahead, while recording leaves a step of one frame.
    """

    def __init__(self) -> None:
        self._origin_us: int | None = None
        self._last_us = 0
        self._last_ms = -1

    @property
    def last_ms(self) -> int:
        """The timestamp given last; -1 before the first."""
        return self._last_ms

    def at(self, captured_us: int) -> int:
        """The timestamp of the next picture, captured at that Unix time."""
        if self._origin_us is None:
            self._origin_us = captured_us
        elif not 0 <= captured_us - self._last_us <= FORWARD_MAX_US:
            self._origin_us = captured_us - (self._last_ms + FALLBACK_STEP_MS) * 1000
        self._last_us = captured_us
        self._last_ms = max(self._last_ms + 1, (captured_us - self._origin_us) // 1000)
        return self._last_ms
