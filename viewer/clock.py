"""The two clocks of the viewer, in whole microseconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeAlias

Clock: TypeAlias = Callable[[], int]


def monotonic_us() -> int:
    """For durations and ages; the clock that stamps the arrival of access units."""
    return time.monotonic_ns() // 1000


def unix_us() -> int:
    """For capture times, which come from another machine."""
    return time.time_ns() // 1000
