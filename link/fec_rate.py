"""How much error correction a path needs: from what is lost on it and its round trip time.

Where the round trip is short, a lost packet is back before anybody sees a freeze, and nothing is
added. Otherwise so much that a window of packets survives its mean loss and some deviations of it
(binomial), the more of them the less a retransmission would help.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

from link.fec import WINDOW_US
from link.loss_log import LossLog
from link.sent_log import Fate

ON_LOSS, OFF_LOSS = 0.006, 0.002  # hysteresis
SHORT_RTT_US = 50_000  # two retransmissions fit into a freeze's patience
LONG_RTT_US = 200_000  # none does
DEVIATIONS = (2.5, 3.5)  # at the short and at the long round trip
LOSS_WINDOW_US = 4_000_000
LOSS_WINDOW_PACKETS = 300  # or longer, where packets are few
RECENT_US = 1_000_000  # a rise counts at once, a fall slowly
RECENT_LOST_MIN = 2  # one alone is no rise
EVEN_PACKETS = 100  # of those fewer, a loss is not yet a rate
UNKNOWN_LOSS = 0.02  # until so many packets were told of
SHARE_MIN, SHARE_MAX = 0.1, 1.0  # where there are any; and no packet without a repair over it


def share_needed(loss: float, window_packets: float, deviations: float) -> float:
    """Repair packets a source packet, SHARE_MIN..1, for a window of so many source packets."""
    window = max(window_packets, 1.0)
    low, high = min(max(SHARE_MIN, 1 / window), SHARE_MAX), SHARE_MAX
    for _ in range(12):
        share = (low + high) / 2
        sent = window * (1 + share)
        survives = loss * sent + deviations * sqrt(loss * (1 - loss) * sent) <= share * window
        low, high = (low, share) if survives else (share, high)
    return high


class FecRate:
    """Told what became of packets, gives the share of repair packets that fits."""

    def __init__(self) -> None:
        self._log = LossLog(LOSS_WINDOW_US, LOSS_WINDOW_PACKETS)
        self._is_on = False
        self._loss = UNKNOWN_LOSS
        self._knows = False

    @property
    def loss(self) -> float:
        """Share of packets that is lost, as far as it is known."""
        return self._loss

    def on_fates(self, fates: Sequence[Fate]) -> None:
        """Feedback came, in order of sending."""
        if not fates:
            return
        self._log.add(fates)
        self._knows = self._knows or len(self._log) >= EVEN_PACKETS
        counted = self._log.counted()
        newest_us = fates[-1].packet.sent_us
        recent = [o.is_lost for o in counted if newest_us - o.sent_us <= RECENT_US]
        all_loss = sum(outcome.is_lost for outcome in counted) / max(len(counted), EVEN_PACKETS)
        if sum(recent) >= RECENT_LOST_MIN:
            self._loss = max(all_loss, sum(recent) / max(len(recent), EVEN_PACKETS))
        else:
            self._loss = all_loss
        if not self._knows:
            self._loss = max(self._loss, UNKNOWN_LOSS)

    def share(self, rtt_us: float, packets_per_s: float) -> float:
        """Repair packets for each source packet; 0 when there shall be none."""
        self._is_on = self._loss >= (OFF_LOSS if self._is_on else ON_LOSS)
        if not self._is_on or rtt_us < SHORT_RTT_US:
            return 0.0
        far = min((rtt_us - SHORT_RTT_US) / (LONG_RTT_US - SHORT_RTT_US), 1.0)
        deviations = DEVIATIONS[0] + far * (DEVIATIONS[1] - DEVIATIONS[0])
        share = share_needed(self._loss, packets_per_s * WINDOW_US / 1e6, deviations)
        return max(share, (1 + far) * SHARE_MIN)
