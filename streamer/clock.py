"""Capture time: Unix time that never steps back."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeAlias

Clock: TypeAlias = Callable[[], int]

_OFFSET_NS = time.time_ns() - time.monotonic_ns()
RTP_CLOCK_HZ = 90_000  # RFC 7798, section 4.1


def unix_us() -> int:
    """Unix time in microseconds, read once at start and carried on by the monotonic clock."""
    return (_OFFSET_NS + time.monotonic_ns()) // 1000


def rtp_timestamp(captured_us: int) -> int:
    """The RTP timestamp of a capture time: the 90 kHz clock counts capture time, modulo 2^32."""
    return captured_us * (RTP_CLOCK_HZ // 1000) // 1000 % (1 << 32)
