"""One direction of a bad link, pure: a datagram's size and time in, its arrivals out.

    queue of queue_packets, served at capacity_kbps -> blackout, loss -> duplication
        -> propagation with jitter -> reordering -> arrivals

A datagram's fate is known at once, because the schedule tells what the link will be like.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass
from enum import Enum

from tests.net.burst_loss import BurstLoss
from tests.net.knobs import Knobs
from tests.net.schedule import Schedule

HEADER_BYTES = 28  # UDP and IPv4: what a datagram takes on top of its payload
QUEUE_TIME_MAX_US = 60_000_000  # what would wait longer is dropped by any real queue


class Drop(Enum):
    """Why a datagram does not arrive."""

    QUEUE = "queue"  # no place: the sender's own fault
    LOSS = "loss"
    BLACKOUT = "blackout"


@dataclass(frozen=True)
class Passage:
    """What became of one datagram."""

    arrivals_us: tuple[int, ...]  # two for a duplicate, none for a dropped one
    queue_us: int  # waiting and being sent; of one that found no place: how long the queue was
    queue_packets: int  # that were before it
    drop: Drop | None = None


class LinkModel:
    """Times are us of any one clock, and never step back. The same seed gives the same link.

    The first phase's knobs hold until `begin`. Phases are known beforehand: a change of capacity
    slows what is in the queue exactly then. `set_knobs` changes it for later datagrams alone.
    """

    def __init__(self, schedule: Schedule, seed: int) -> None:
        self._schedule = schedule
        self._random = random.Random(seed)
        self._loss = BurstLoss(self._random)
        self._begin_us: int | None = None
        self._departures_us: deque[float] = deque()  # of what is in the queue
        self._last_departure_us = 0.0
        self._last_arrival_us = 0

    def begin(self, now_us: int) -> None:
        """The first phase begins now."""
        self._begin_us = now_us

    def set_schedule(self, schedule: Schedule) -> None:
        """Another schedule, which has not begun; a datagram in the queue keeps its place."""
        self._schedule = schedule
        self._begin_us = None

    def set_knobs(self, knobs: Knobs) -> None:
        """From now on the link is like this, whatever the schedule said."""
        self.set_schedule(Schedule.steady(knobs))

    def knobs(self, at_us: float) -> Knobs:
        """What the link is like at a time."""
        return self._at(at_us)[0]

    def send(self, size_bytes: int, now_us: int) -> Passage:
        """A datagram of so many bytes of payload enters the link."""
        while self._departures_us and self._departures_us[0] <= now_us:
            self._departures_us.popleft()
        before = len(self._departures_us)
        knobs = self.knobs(now_us)
        if knobs.queue_packets is not None and before >= knobs.queue_packets:
            waits_us = round(self._last_departure_us - now_us)
            return Passage((), waits_us, before, Drop.QUEUE)
        departs_us = self._departure_us(8 * (size_bytes + HEADER_BYTES), now_us)
        if departs_us is None:
            return Passage((), 0, before, Drop.QUEUE)
        if departs_us > now_us:
            self._departures_us.append(departs_us)
        self._last_departure_us = departs_us
        queue_us = round(departs_us - now_us)
        knobs = self.knobs(departs_us)
        lost = self._loss.takes(knobs)
        if knobs.blackout:
            return Passage((), queue_us, before, Drop.BLACKOUT)
        if lost:
            return Passage((), queue_us, before, Drop.LOSS)
        copies = 2 if self._chance(knobs.duplicate_percent) else 1
        arrivals = tuple(self._arrival_us(departs_us, knobs) for _ in range(copies))
        return Passage(arrivals, queue_us, before)

    def _departure_us(self, bits: float, now_us: int) -> float | None:
        """When the last bit has left, behind everything before it; None: not in any useful time."""
        time_us = max(float(now_us), self._last_departure_us)
        while time_us <= now_us + QUEUE_TIME_MAX_US:
            knobs, until_us = self._at(time_us)
            if knobs.capacity_kbps is None:
                return time_us
            bits_per_us = knobs.capacity_kbps / 1000
            if bits_per_us and (until_us is None or time_us + bits / bits_per_us <= until_us):
                return time_us + bits / bits_per_us
            if until_us is None:
                return None
            bits -= (until_us - time_us) * bits_per_us
            time_us = until_us
        return None

    def _arrival_us(self, departs_us: float, knobs: Knobs) -> int:
        delay_ms = knobs.queue_delay_ms
        if knobs.delay_stddev_ms:
            delay_ms = max(0.0, self._random.gauss(delay_ms, knobs.delay_stddev_ms))
        arrives_us = round(departs_us + 1000 * delay_ms)
        if not knobs.allow_reordering:
            arrives_us = max(arrives_us, self._last_arrival_us)
        if self._chance(knobs.reorder_percent):  # late by itself: nothing waits for it
            return arrives_us + round(1000 * knobs.reorder_delay_ms * (1 - self._random.random()))
        self._last_arrival_us = max(arrives_us, self._last_arrival_us)
        return arrives_us

    def _at(self, time_us: float) -> tuple[Knobs, float | None]:
        begin_us = self._begin_us
        if begin_us is None:
            return self._schedule.phases[0].knobs, None
        knobs, until_us = self._schedule.at(max(0.0, time_us - begin_us))
        return knobs, None if until_us is None else begin_us + until_us

    def _chance(self, percent: float) -> bool:
        return percent > 0 and self._random.random() < percent / 100
