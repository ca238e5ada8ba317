"""How far the peer's clock is from ours, of what its sender reports and the round trip tell.

A report says when the peer sent it (RFC 3550, section 6.4.1: the NTP timestamp). It came after
somewhere between nothing and a whole round trip, so the report that came fastest bounds the offset
from both sides. No message of our own is needed.
"""

from collections import deque
from dataclasses import dataclass

WINDOW_US = 30_000_000  # clocks of 50 ppm drift 1.5 ms in it
REPORTS_MAX = 256
_LEAST_US = 100  # of uncertainty: the clocks are read a moment beside the event


@dataclass(frozen=True)
class ClockEstimate:
    """Ours less the peer's, Unix time in us, and how wrong that may be either way."""

    offset_us: int
    uncertainty_us: int


@dataclass(frozen=True)
class SentReport:
    """The last sender report: what the media clock read when the peer's clock read that."""

    unix_us: int  # of the peer's clock
    rtp_timestamp: int


class PeerClock:
    """Of one session. Pure: times in, an estimate out."""

    def __init__(self) -> None:
        self._reports: deque[tuple[int, int, int]] = deque(maxlen=REPORTS_MAX)

    def add(self, peer_us: int, here_us: int, rtt_us: int) -> None:
        """A report that says `peer_us` came at `here_us` (both Unix time)."""
        self._reports.append((here_us, here_us - peer_us, rtt_us))
        while here_us - self._reports[0][0] > WINDOW_US:
            self._reports.popleft()

    def estimate(self) -> ClockEstimate | None:
        """None until a report came."""
        if not self._reports:
            return None
        difference_us = min(difference for _, difference, _ in self._reports)
        half_us = min(rtt for _, _, rtt in self._reports) // 2
        return ClockEstimate(difference_us - half_us, half_us + _LEAST_US)
