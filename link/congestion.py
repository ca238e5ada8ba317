"""Congestion control of a sender: how many bits per second the path takes now.

    feedback -> SentLog -> DelayTrend --queue--+
                              acked rate ------+-> CongestionControl -> target
                              loss ------------+         ^
    REMB, receiver reports (peers without feedback) -----+

A standing queue, or a growing one, means that the path is full: the target goes below what arrives,
the lower the longer the queue, and comes back to just below it once the queue is gone. Without a
queue it grows, and `link.probing` looks for more. Loss counts only where less rate means less loss:
a radio link loses packets at any rate. After the ideas of Google congestion control
(draft-ietf-rmcat-gcc-02) and of SCReAM (RFC 8298) for the standing queue.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from link.delay_trend import DelayTrend, PathDelay
from link.loss_log import NO_LOSS, Loss, LossLog, loss_of
from link.loss_trial import LossTrial
from link.lowest import Lowest
from link.plateau import Plateau
from link.sent_log import Fate, UnderWay

ACKED_WINDOW_US = 500_000
LOSS_WINDOW_US = 1_120_000
SETTLED_US = 120_000  # after which what was lost is lost
LOSS_PACKETS_MIN = 20
STANDING_MAX_US = 100_000  # a queue of so long is too long, growing or not
RISING_US = 40_000  # and of so long, when it grows by RISING_SLOPE
RISING_SLOPE = 0.1
DRAINED_US = 30_000
JITTER_GAIN = 0.1
JITTERS = (2.0, 3.0)  # of the mean jitter: what a rising, a standing queue must be above
BACKOFF = 0.85  # of what arrives
BACKOFF_PER_S = 0.7  # less for each second of queue
BACKOFF_MIN = 0.1
SETTLED = 0.9  # of what arrived, once the queue is gone
DECREASE_INTERVAL_US = 200_000  # and a round trip
ROUND_TRIP_MAX_US = 300_000  # of it: a long queue must not make us slow
BEGINNING_US = 2_000_000  # nothing of the path is known yet
LONGER_MAX_US = 2_000_000  # no path becomes longer by more: that is a queue
STUCK_US = 160_000  # more than a round trip of the empty path, while feedback comes
INCREASE_AFTER_US = 500_000
GROWTH_PER_S = 0.15
GROWTH_NEAR_PER_S = 0.04  # near where a queue built up last
NEAR = 0.85
NEAR_MEMORY_US = 30_000_000
AHEAD_OF_ACKED = 1.5
AHEAD_BPS = 30_000
SILENCE_US = 600_000  # without feedback while packets leave
SILENCE_BACKOFF = 0.5
RTT_GAIN = 0.2


@dataclass(frozen=True)
class Bounds:
    """Of the target, bit/s on the wire."""

    least_bps: int
    most_bps: int


class CongestionControl:
    """`target_bps` counts everything on the wire, headers and retransmissions included."""

    def __init__(self, start_bps: int, bounds: Bounds) -> None:
        self._bounds = bounds
        self._target = float(min(max(start_bps, bounds.least_bps), bounds.most_bps))
        self._trend = DelayTrend()
        self._acked: deque[tuple[int, int, int]] = deque()  # arrival, bytes, one-way delay
        self._loss_log = LossLog(LOSS_WINDOW_US)
        self._loss_trial = LossTrial()
        self._jitter_us = 0.0
        self._late_us = 0.0  # what the oldest packet under way took beyond an empty path, at least
        self._last_delay_us: int | None = None
        self._rtt_us = 100_000.0
        self._empty_rtt = Lowest()
        self._plateau = Plateau()
        self._before_queue = self._target  # what there was before less was sent
        self._full_bps: float | None = None  # what arrived when a queue built up last
        self._full_us = 0
        self._draining = False
        self._decreased_us: int | None = None
        self._updated_us: int | None = None
        self._feedback_us: int | None = None
        self._first_us: int | None = None  # feedback
        self._silence_us = 0  # of the last step back for want of feedback
        self._before_silence: float | None = None
        self._remb_bps: int | None = None

    @property
    def target_bps(self) -> int:
        return round(min(self._target, self._remb_bps or self._target))

    @property
    def rtt_us(self) -> float:
        """Mean round trip, with the time that feedback waits."""
        return self._rtt_us

    @property
    def is_free(self) -> bool:
        """No queue, and room up to the bound: more may be tried."""
        is_held = self._loss_trial.is_held(self._updated_us or 0)
        return not self._draining and not is_held and self._target < self._bounds.most_bps

    @property
    def decreased_us(self) -> int | None:
        """When the target last went down."""
        return self._decreased_us

    def set_most(self, most_bps: int) -> None:
        """A new upper bound."""
        self._bounds = Bounds(self._bounds.least_bps, max(most_bps, self._bounds.least_bps))
        self._set(self._target)

    def on_fates(self, fates: Sequence[Fate], now_us: int) -> None:
        """Feedback came."""
        self._loss_log.add(fates)
        fates = [fate for fate in fates if not fate.was_lost]
        if not fates:
            return
        self._feedback_us = now_us
        self._first_us = self._first_us or now_us
        self._end_silence()
        for fate in fates:
            self._take(fate)
        newest = fates[-1].packet
        rtt_us = now_us - newest.sent_us
        self._rtt_us += RTT_GAIN * (rtt_us - self._rtt_us)
        self._empty_rtt.add(now_us, rtt_us)
        delay = self._trend.delay()
        if self._plateau.is_found(self._jitter_us) and delay.standing_us < LONGER_MAX_US:
            self._take_longer_path(rtt_us, now_us)
        elif self._is_overused(delay):
            self._back_off(delay.standing_us, self._acked_bps(ACKED_WINDOW_US), now_us)
        elif self._draining:
            if self._is_drained(delay):
                self._draining = False
                self._plateau.end()
                if self._full_bps is not None:
                    self._set(max(self._target, SETTLED * self._full_bps))
        else:
            self._on_loss(self._loss(newest.sent_us), now_us)
        self._updated_us = now_us

    def on_probed(self, rate_bps: float, *, full: bool) -> None:
        """A probe arrived at this rate; `full`: more slowly than it was sent."""
        if not self._draining:  # a queue came after it began: first that must go
            self._loss_trial.on_probed(self._feedback_us or 0)
            self._set(max(self._target, (BACKOFF if full else SETTLED) * rate_bps))
        if full:
            self._full_bps, self._full_us = rate_bps, self._feedback_us or 0

    def on_remb(self, bitrate_bps: int) -> None:
        """The receiver's own estimate (draft-alvestrand-rmcat-remb): an upper bound."""
        self._remb_bps = max(bitrate_bps, self._bounds.least_bps)

    def on_report(self, fraction_lost: float, now_us: int) -> None:
        """A receiver report of a peer without transport feedback: loss is all it tells."""
        if self._feedback_us is not None:
            return
        self._on_loss(Loss(fraction_lost, fraction_lost), now_us)
        self._updated_us = now_us

    def on_tick(self, under_way: UnderWay | None, now_us: int) -> None:
        """Time passes; `under_way` is what no feedback told of."""
        self._late_us = 0.0
        if self._feedback_us is None or under_way is None:
            return
        self._late_us = now_us - under_way.oldest_us - self._empty_rtt.value()
        stuck_us = STUCK_US + JITTERS[1] * self._jitter_us
        if self._late_us > stuck_us and now_us - self._feedback_us < STUCK_US:
            crawl_bps = self._crawl_bps(now_us)
            left_us = under_way.size_bytes * 8e6 / crawl_bps if crawl_bps else 0
            if left_us > STANDING_MAX_US:  # their own feedback would tell too late
                fits_bps = min(crawl_bps, max(self._target, self._acked_bps(ACKED_WINDOW_US)))
                queue_us = self._queue_us(under_way.size_bytes, fits_bps)
                self._back_off(queue_us, fits_bps, now_us)
                return
        waited_us = now_us - max(under_way.oldest_us, self._silence_us)
        if waited_us > SILENCE_US + self._rtt_us:
            self._before_silence = self._before_silence or self._target
            self._silence_us = now_us
            self._set(SILENCE_BACKOFF * self._target)

    def _take(self, fate: Fate) -> None:
        packet = fate.packet
        if fate.arrived_us is None:
            return
        delay_us = fate.arrived_us - packet.sent_us
        self._acked.append((fate.arrived_us, packet.size_bytes, delay_us))
        while fate.arrived_us - self._acked[0][0] > ACKED_WINDOW_US:
            self._acked.popleft()
        if self._last_delay_us is not None:
            change_us = min(abs(delay_us - self._last_delay_us), STANDING_MAX_US)
            self._jitter_us += JITTER_GAIN * (change_us - self._jitter_us)
        self._last_delay_us = delay_us
        self._trend.add(packet.sent_us, fate.arrived_us)
        self._plateau.add(packet.sent_us, delay_us)

    def _queue_us(self, under_way_bytes: int, acked_bps: float) -> float:
        """How long the last of so many bytes will wait, at what arrives now."""
        if not acked_bps:
            return self._late_us
        return max(self._late_us, under_way_bytes * 8e6 / acked_bps - self._empty_rtt.value())

    def _acked_bps(self, window_us: int) -> float:
        """What arrived in the last so many microseconds of the receiver's clock."""
        if not self._acked:
            return 0.0
        since_us = self._acked[-1][0] - window_us
        return sum(size for at_us, size, _ in self._acked if at_us > since_us) * 8e6 / window_us

    def _crawl_bps(self, now_us: int) -> float:
        """How fast those come that had to wait; 0: not two came yet. Without the pause before
        them: after a scan or a hand-over all comes at once, and that is no thin path."""
        limit_us = self._trend.empty_us() + max(RISING_US, JITTERS[0] * self._jitter_us)
        newest_us = first_us = self._acked[-1][0] if self._acked else 0
        size_bytes = last_bytes = 0
        for at_us, size, delay_us in reversed(self._acked):
            if delay_us < limit_us or newest_us - first_us > STUCK_US:
                break
            size_bytes, first_us, last_bytes = size_bytes + size, at_us, size
        crawl_bps = (size_bytes - last_bytes) * 8e6 / max(newest_us - first_us, 1_000)
        if not crawl_bps and now_us - (self._first_us or 0) < BEGINNING_US:
            return self._acked_bps(STUCK_US)  # of a thin path two packets take too long
        return crawl_bps

    def _is_overused(self, delay: PathDelay) -> bool:
        rising = max(RISING_US, JITTERS[0] * self._jitter_us)
        standing = max(STANDING_MAX_US, JITTERS[1] * self._jitter_us)
        if delay.is_bursting:
            return False  # the queue will be gone before less could be sent
        grows = delay.slope > RISING_SLOPE and delay.standing_us > rising
        return grows or delay.standing_us > standing

    def _is_drained(self, delay: PathDelay) -> bool:
        """No queue that came or is still to come: a steep one fills before its first packets do."""
        came = delay.standing_us <= max(DRAINED_US, JITTERS[0] * self._jitter_us)
        return came and self._late_us <= STANDING_MAX_US

    def _back_off(self, queue_us: float, acked_bps: float, now_us: int) -> None:
        self._full_bps, self._full_us = acked_bps, now_us  # there is a queue: this is what fits
        wait_us = DECREASE_INTERVAL_US + min(self._rtt_us, ROUND_TRIP_MAX_US)
        if self._decreased_us is not None and now_us - self._decreased_us < wait_us:
            return
        share = max(BACKOFF_MIN, BACKOFF - BACKOFF_PER_S * queue_us / 1e6)
        if not self._draining:
            self._before_queue = self._target
            self._plateau.watch(now_us)
        self._draining = True
        self._decreased_us = now_us
        self._set(min(self._target, share * acked_bps))

    def _take_longer_path(self, rtt_us: int, now_us: int) -> None:
        """What was taken for a queue is the path's own delay."""
        self._plateau.end()
        self._trend.forget()
        self._empty_rtt.clear()
        self._empty_rtt.add(now_us, rtt_us)
        self._draining, self._full_bps = False, None
        self._set(max(self._target, BACKOFF * self._before_queue))

    def _grow(self, now_us: int) -> None:
        if self._decreased_us is not None and now_us - self._decreased_us < INCREASE_AFTER_US:
            return
        passed_s = min(now_us - (self._updated_us or now_us), 1_000_000) / 1e6
        knows = self._full_bps is not None and now_us - self._full_us < NEAR_MEMORY_US
        is_near = knows and self._target > NEAR * (self._full_bps or 0.0)
        growth = GROWTH_NEAR_PER_S if is_near else GROWTH_PER_S
        wanted = self._target * (1 + growth * passed_s)
        if self._acked:
            wanted = min(wanted, AHEAD_OF_ACKED * self._acked_bps(ACKED_WINDOW_US) + AHEAD_BPS)
        self._set(max(self._target, wanted))

    def _loss(self, newest_us: int) -> Loss:
        """Of the last second, but for what may only have been overtaken: feedback tells of that
        again."""
        until_us = newest_us - SETTLED_US
        counted = [outcome for outcome in self._loss_log.counted() if outcome.sent_us <= until_us]
        return loss_of(counted) if len(counted) >= LOSS_PACKETS_MIN else NO_LOSS

    def _on_loss(self, loss: Loss, now_us: int) -> None:
        """Steps back when more is lost than at any rate, or grows."""
        target = self._loss_trial.target(loss, self._target, now_us)
        if self._loss_trial.emptied_us == now_us:
            self._full_bps, self._full_us = self._target, now_us
        if target is None:
            self._grow(now_us)
            return
        if target < self._target:
            self._decreased_us = now_us
        self._set(target)

    def _end_silence(self) -> None:
        if self._before_silence is not None:
            self._set(BACKOFF * self._before_silence)
            self._before_silence = None
            self._trend.forget()
            self._empty_rtt.clear()
            self._acked.clear()

    def _set(self, target: float) -> None:
        self._target = min(max(target, self._bounds.least_bps), self._bounds.most_bps)
