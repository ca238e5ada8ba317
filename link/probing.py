"""Probing: is there more room on the path than the target says?

A probe is a short burst at a multiple of the target, media as it comes filled up with packets that
were sent before (retransmissions, which the receiver can use). How fast it arrives tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from link.sent_log import Fate

FIRST_FACTOR = 3.0  # of the target, at the beginning of a session
FACTOR = 2.0
DURATION_US = 80_000
PACKETS_MIN = 5
INTERVALS_US = (2_000_000, 5_000_000)  # from probe to probe, or after a decrease; from and to,
COST_SHARE = 0.08  # as a probe shall add no more than this share of the rate
PACKET_BYTES = 1_200
AFTER_SUCCESS_US = 300_000
RESULT_US = 1_000_000  # until a probe without a result is forgotten
ARRIVED_MIN = 0.8  # of its packets
FULL_BELOW = 0.9  # of the rate of sending


@dataclass(frozen=True)
class ProbeResult:
    """The rate at which a probe arrived; `full`: the path slowed it down."""

    rate_bps: float
    full: bool


class Probing:
    """At most one probe at a time. `begin`, then `sent` for all packets until it is `complete`."""

    def __init__(self) -> None:
        self._next_us: int | None = None
        self._factor = FIRST_FACTOR
        self._interval_us = INTERVALS_US[0]
        self._rate_bps = 0.0
        self._bytes_left = 0
        self._packets_left = 0
        self._began_us: int | None = None
        self._numbers: list[int] = []
        self._fates: dict[int, Fate] = {}

    @property
    def rate_bps(self) -> float | None:
        """At which packets are to leave now, retransmissions too; None: no probe is being sent."""
        is_sending = self._began_us is not None and (self._bytes_left > 0 or self._packets_left > 0)
        return self._rate_bps if is_sending else None

    def is_due(self, now_us: int, decreased_us: int | None) -> bool:
        """Whether to begin one, where more may be tried."""
        if self._began_us is not None:
            if now_us - self._began_us < RESULT_US:
                return False
            self._end(now_us + self._interval_us)
        if decreased_us is not None and now_us - decreased_us < INTERVALS_US[0]:
            return False
        return self._next_us is None or now_us >= self._next_us

    def begin(self, target_bps: float, most_bps: float, now_us: int) -> None:
        """A probe at a multiple of the target, but not far above what would be used."""
        self._rate_bps = min(self._factor * target_bps, 1.2 * most_bps)
        self._factor = FACTOR
        self._bytes_left = round(self._rate_bps * DURATION_US / 8e6)
        self._packets_left = PACKETS_MIN
        cost_bits = 8 * max(self._bytes_left, PACKETS_MIN * PACKET_BYTES)
        interval_us = round(1e6 * cost_bits / (COST_SHARE * target_bps))
        self._interval_us = min(max(interval_us, INTERVALS_US[0]), INTERVALS_US[1])
        self._began_us = now_us
        self._numbers, self._fates = [], {}

    def sent(self, number: int, size_bytes: int) -> None:
        """A packet left while the probe is being sent."""
        if self.rate_bps is not None:
            self._numbers.append(number)
            self._bytes_left -= size_bytes
            self._packets_left -= 1

    def on_fates(self, fates: Sequence[Fate], now_us: int) -> ProbeResult | None:
        """Feedback came; the result once all of the probe has been told of."""
        if self._began_us is None:
            return None
        self._fates.update({fate.packet.number: fate for fate in fates})
        is_sending = self.rate_bps is not None or not self._numbers
        if is_sending or not fates or fates[-1].packet.number < self._numbers[-1]:
            return None
        result = self._result()
        more = result is not None and not result.full
        self._end(now_us + (AFTER_SUCCESS_US if more else self._interval_us))
        return result

    def _result(self) -> ProbeResult | None:
        arrived = sorted(
            (fate.arrived_us, fate.packet.sent_us, fate.packet.size_bytes)
            for number in self._numbers
            if (fate := self._fates.get(number)) is not None and fate.arrived_us is not None
        )
        if len(arrived) < max(2, ARRIVED_MIN * len(self._numbers)):
            return None
        bits = 8e6 * sum(size for _, _, size in arrived[1:])
        sent = [sent_us for _, sent_us, _ in arrived]
        send_rate = bits / max(max(sent) - min(sent), 1_000)
        rate = bits / max(arrived[-1][0] - arrived[0][0], 1_000)
        return ProbeResult(min(rate, send_rate), rate < FULL_BELOW * send_rate)

    def _end(self, next_us: int) -> None:
        self._began_us = None
        self._bytes_left = self._packets_left = 0
        self._next_us = next_us
