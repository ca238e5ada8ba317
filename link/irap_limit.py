"""How often an IRAP may be asked of the encoder: no second one until the first can have come."""

from __future__ import annotations

from link.reports import RateLimit

INTERVAL_US = 300_000
TRAVEL_US = 150_000  # beyond the round trip: encoding and pacing
ROUND_TRIP_MAX_US = 2_000_000  # that is believed


class IrapLimit:
    """One `allow` for what many requests ask for, since they are repeated until an IRAP comes."""

    def __init__(self) -> None:
        self._limit = RateLimit(INTERVAL_US)

    def allow(self, now_us: int, rtt_us: int) -> bool:
        """Whether an IRAP may be made now; it then counts."""
        travel_us = min(rtt_us, ROUND_TRIP_MAX_US) + TRAVEL_US
        self._limit.interval_us = max(INTERVAL_US, travel_us)
        return self._limit.allow(now_us)
