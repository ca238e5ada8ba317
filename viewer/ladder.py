"""When to restore with another engine: hysteresis between cheap and good ones.

    best network, ..., cheapest network, plain upscaling
      ^ up: long calm, and it can hold          v down: too slow for a while

Pure: paces and times in, the engine to go for out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from viewer.pace import Pace

HEADROOM = 0.8  # of the time between pictures: what an engine may take to be gone up to
TOO_SLOW = 1.0  # what it may take to stay
LAST_RESORT = 1.5  # the cheapest network stays while two of three pictures can be shown
HOPELESS = 4.0  # by its multiplications alone: not even tried
DOWN_AFTER_US = 1_000_000
FIRST_UP_AFTER_US = 1_000_000
UP_AFTER_US = 10_000_000  # doubled whenever it was in vain
UP_AFTER_MAX_US = 320_000_000
PROBATION_US = 20_000_000  # who goes down again within it should not have gone up


@dataclass(frozen=True)
class Rung:
    """An engine and what it computes per source pixel, 0 of plain upscaling."""

    name: str
    kmacs_per_pixel: float = 0.0


class Ladder:
    """The rungs from the best down, `at` the index of the one in use.

    `last_resort` is the load at which the cheapest network gives way to plain upscaling.
    """

    def __init__(self, rungs: Sequence[Rung], at: int) -> None:
        self.rungs = tuple(rungs)
        self.at = at
        self.last_resort = LAST_RESORT
        self._slow_us: int | None = None  # since when it is too slow
        self._calm_us: int | None = None  # since when there is room for more
        self._climbed_us: int | None = None
        self._up_after_us = FIRST_UP_AFTER_US

    @property
    def now(self) -> Rung:
        return self.rungs[self.at]

    def step(self, pace: Pace, now_us: int) -> int | None:
        """The rung to go for, if another one; call `moved` or `refused` when that is decided."""
        if not pace.is_known:
            return None
        if self._climbed_us is not None and now_us - self._climbed_us >= PROBATION_US:
            self._climbed_us, self._up_after_us = None, UP_AFTER_US
        if pace.load > self._limit:
            self._calm_us = None
            self._slow_us = now_us if self._slow_us is None else self._slow_us
            return self.at + 1 if now_us - self._slow_us >= DOWN_AFTER_US else None
        self._slow_us = None
        if self.at == 0 or pace.load > HEADROOM or self._is_hopeless(pace):
            self._calm_us = None
            return None
        self._calm_us = now_us if self._calm_us is None else self._calm_us
        return self.at - 1 if now_us - self._calm_us >= self._up_after_us else None

    def moved(self, to: int, now_us: int) -> None:
        """The engine in use is another one from here on."""
        if to < self.at:
            self._climbed_us = now_us
        else:
            self._up_after_us = max(self._up_after_us, UP_AFTER_US)
            if self._climbed_us is not None and now_us - self._climbed_us < PROBATION_US:
                self.refused(now_us)
            self._climbed_us = None
        self.at = to
        self._slow_us = self._calm_us = None

    def refused(self, now_us: int) -> None:
        """The better engine would not hold: the next try comes later."""
        wait_us = 2 * self._up_after_us if self._up_after_us >= UP_AFTER_US else UP_AFTER_US
        self._up_after_us = min(UP_AFTER_MAX_US, wait_us)
        self._calm_us = now_us

    def without(self, rung: int) -> None:
        """An engine that does not work; the one in use is no longer it."""
        self.rungs = self.rungs[:rung] + self.rungs[rung + 1 :]
        self.at -= self.at > rung

    def predicted_us(self, rung: int, pace: Pace) -> float:
        """What an engine would take, by its multiplications; 0 where that says nothing."""
        if not self.now.kmacs_per_pixel:
            return 0.0
        return pace.cost_us * self.rungs[rung].kmacs_per_pixel / self.now.kmacs_per_pixel

    @property
    def _limit(self) -> float:
        below = len(self.rungs) - 1 - self.at
        return (float("inf"), self.last_resort)[below] if below < 2 else TOO_SLOW

    def _is_hopeless(self, pace: Pace) -> bool:
        return self.predicted_us(self.at - 1, pace) > HOPELESS * pace.spacing_us
