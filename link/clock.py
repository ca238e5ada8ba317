"""The two clocks of this process, in whole microseconds. Neither ever steps."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeAlias

Clock: TypeAlias = Callable[[], int]

_OFFSET_NS = time.time_ns() - time.monotonic_ns()


def monotonic_us() -> int:
    """For durations and ages."""
    return time.monotonic_ns() // 1000


def unix_us() -> int:
    """Unix time for what other machines read, taken once at start and carried on from there.

    Setting the machine's clock (a box without a battery, once the network is there) must not part
    the capture times of a stream from its sender reports.
    """
    return (_OFFSET_NS + time.monotonic_ns()) // 1000
