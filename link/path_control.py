"""The sender's side of congestion control: everything it asks and is told, in one place.

    packets sent, feedback, reports -> CongestionControl, Probing -> pacing_bps, media_bps, a probe
                                    -> FecRate -> fec_share

`media_bps` is what the encoder may use: the target less what headers, retransmissions and repair
packets take.
"""

from __future__ import annotations

from link.congestion import Bounds, CongestionControl
from link.fec_rate import FecRate
from link.pacer import Pacer
from link.probing import Probing
from link.sent_log import SentLog
from link.twcc import Feedback

START_BPS = 500_000
LEAST_BPS = 30_000
FEC_LEAST_BPS = 40_000  # below it headers and repairs alone would fill the path
ROOM = 1.05  # of the largest media rate, for what media rates vary
ROOM_BPS = 40_000  # for headers
PACING_FACTOR = 2.5  # of the target: an IRAP is larger than other pictures, and late is worse
PACING_LEAST_BPS = 250_000
OVERHEAD_WINDOW_US = 500_000
OVERHEAD_GAIN = 0.5
MEDIA_SHARE_MIN = 0.4  # of the target
STALE_US = 500_000  # without media there is nothing to probe for


class PathControl:
    """For media of at most `most_media_bps`. `has_feedback`: the peer sends transport-wide
    feedback; `may_probe`: it takes retransmissions that it did not ask for."""

    def __init__(self, most_media_bps: int, *, has_feedback: bool, may_probe: bool) -> None:
        self._most_media_bps = most_media_bps
        self._control = CongestionControl(START_BPS, self._bounds())
        self._probing = Probing()
        self._log = SentLog()
        self._fec = FecRate()
        self._has_feedback = has_feedback
        self._may_probe = may_probe and has_feedback
        self._overhead_bps = 0.0
        self._overhead_bytes = 0
        self._overhead_since_us: int | None = None
        self._media_us: int | None = None
        self._spare = Pacer(START_BPS, START_BPS // 8)  # for retransmissions and repairs

    @property
    def target_bps(self) -> int:
        """On the wire."""
        return self._control.target_bps

    @property
    def media_bps(self) -> int:
        """For the encoder: payload of access units."""
        target = self._control.target_bps
        left = max(target - self._overhead_bps, MEDIA_SHARE_MIN * target)
        return min(round(left), self._most_media_bps)

    @property
    def pacing_bps(self) -> float:
        """At which packets may leave now."""
        rate = max(PACING_FACTOR * self._control.target_bps, PACING_LEAST_BPS)
        return max(rate, self._probing.rate_bps or 0.0)

    @property
    def wants_padding(self) -> bool:
        """A probe is being sent: with no media at hand, something else should leave."""
        return self._probing.rate_bps is not None

    @property
    def next_number(self) -> int | None:
        """Transport-wide number of the next packet, 16 bits; None: the peer knows none."""
        return self._log.next_number & 0xFFFF if self._has_feedback else None

    def set_most(self, most_media_bps: int) -> None:
        """The encoder will not use more from now on."""
        self._most_media_bps = most_media_bps
        self._control.set_most(self._bounds().most_bps)

    def may_add(self, wire_bytes: int, now_us: int) -> bool:
        """Whether a retransmission or a repair packet fits; it then counts. They may take as much
        as the target in a second: on a path that loses most, asking again loses most again."""
        target_bps = self.target_bps
        self._spare.set_bitrate(target_bps, now_us, burst_bytes=target_bps // 8)
        if self._spare.delay_us(wire_bytes, now_us):
            return False
        self._spare.spend(wire_bytes, now_us)
        return True

    def sent(self, wire_bytes: int, media_bytes: int, now_us: int) -> None:
        """A packet left; `media_bytes` of it are media sent for the first time."""
        if self._has_feedback:
            self._probing.sent(self._log.add(wire_bytes, now_us), wire_bytes)
        if media_bytes:
            self._media_us = now_us
        if media_bytes or not self.wants_padding:
            self._overhead_bytes += wire_bytes - media_bytes

    def sent_again(self, wire_bytes: int) -> None:
        """A packet left once more under its first number, so that feedback tells of one alone."""
        self._overhead_bytes += wire_bytes

    def on_feedback(self, feedback: Feedback, now_us: int) -> None:
        """Transport-wide feedback came."""
        fates = self._log.match(feedback)
        self._fec.on_fates(fates)
        self._control.on_fates(fates, now_us)
        found = self._probing.on_fates(fates, now_us)
        if found is not None:
            self._control.on_probed(found.rate_bps, full=found.full)

    def fec_share(self, packets_per_s: float) -> float:
        """Repair packets that fit for each media packet, at so many of these a second."""
        if not self._has_feedback or self.target_bps <= FEC_LEAST_BPS:
            return 0.0
        return self._fec.share(self._control.rtt_us, packets_per_s)

    def on_report(self, fraction_lost: float, now_us: int) -> None:
        """A receiver report came."""
        if not self._has_feedback:
            self._control.on_report(fraction_lost, now_us)

    def on_remb(self, bitrate_bps: int) -> None:
        """The receiver's own estimate came; with feedback ours is better."""
        if not self._has_feedback:
            self._control.on_remb(bitrate_bps)

    def on_tick(self, now_us: int) -> None:
        """To be called some twenty times a second."""
        self._control.on_tick(self._log.under_way(), now_us)
        if self._overhead_since_us is None:
            self._overhead_since_us = now_us
        passed_us = now_us - self._overhead_since_us
        if passed_us >= OVERHEAD_WINDOW_US:
            seen_bps = self._overhead_bytes * 8e6 / passed_us
            self._overhead_bps += OVERHEAD_GAIN * (seen_bps - self._overhead_bps)
            self._overhead_bytes, self._overhead_since_us = 0, now_us
        flows = self._media_us is not None and now_us - self._media_us < STALE_US
        may = self._may_probe and flows and self._control.is_free
        if may and self._probing.is_due(now_us, self._control.decreased_us):
            self._probing.begin(self.target_bps, self._bounds().most_bps, now_us)

    def _bounds(self) -> Bounds:
        return Bounds(LEAST_BPS, round(ROOM * self._most_media_bps) + ROOM_BPS)
