"""How long to wait before the next attempt."""

from __future__ import annotations

import random

FIRST_S, MAX_S = 0.5, 8.0
GROWTH = 1.5  # with 2, a box that needs two seconds to start waits another two
JITTER = 0.25  # of the delay, either way, so that boxes do not knock in step


class Backoff:
    """Grows from half a second to eight, with jitter; a success starts it again."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._delay_s = FIRST_S

    def next_s(self) -> float:
        delay_s, self._delay_s = self._delay_s, min(GROWTH * self._delay_s, MAX_S)
        return delay_s * self._rng.uniform(1 - JITTER, 1 + JITTER)

    def reset(self) -> None:
        self._delay_s = FIRST_S
