"""The lowest of what was measured lately: what a path takes when it is empty."""

from __future__ import annotations

from collections import deque

WINDOW_US = 30_000_000  # clocks drift apart, routes change
STEP_US = 1_000_000


class Lowest:
    """Of the last half minute, in steps of a second. Times must not fall."""

    def __init__(self) -> None:
        self._lows: deque[tuple[int, float]] = deque()  # second, lowest in it

    def add(self, at_us: int, value: float) -> None:
        second = at_us // STEP_US
        if self._lows and self._lows[-1][0] >= second:
            self._lows[-1] = (self._lows[-1][0], min(self._lows[-1][1], value))
        else:
            self._lows.append((second, value))
        while second - self._lows[0][0] > WINDOW_US // STEP_US:
            self._lows.popleft()

    def value(self, otherwise: float = 0.0) -> float:
        """`otherwise` as long as there is none."""
        return min((low for _, low in self._lows), default=otherwise)

    def clear(self) -> None:
        """What was measured does not count any longer."""
        self._lows.clear()
