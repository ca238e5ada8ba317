"""What passed one direction of a link, in slots of 100 ms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.net.link_model import HEADER_BYTES, Drop, Passage

SLOT_US = 100_000
SLOTS_MAX = 72_000  # two hours; what comes later is not recorded


@dataclass
class Slot:
    """Sums of 100 ms; bytes count UDP and IPv4 headers."""

    sent: int = 0  # datagrams that entered the link
    sent_bytes: int = 0
    delivered: int = 0  # by arrival; duplicates count twice
    delivered_bytes: int = 0
    overflowed: int = 0  # no place in the queue: the sender's own doing
    lost: int = 0
    dark: int = 0
    queue_packets: int = 0  # the most that a datagram found before it
    queue_ms: float = 0.0  # the longest that one waited, its own transmission included


class Flow:
    """Slots from the first datagram on, by the link's clock in us."""

    def __init__(self) -> None:
        self.start_us: int | None = None
        self.slots: list[Slot] = []

    def add(self, size_bytes: int, now_us: int, passage: Passage) -> None:
        """One datagram with its fate."""
        if self.start_us is None:
            self.start_us = now_us
        size_bytes += HEADER_BYTES
        slot = self._slot(now_us)
        slot.sent += 1
        slot.sent_bytes += size_bytes
        slot.overflowed += passage.drop is Drop.QUEUE
        slot.lost += passage.drop is Drop.LOSS
        slot.dark += passage.drop is Drop.BLACKOUT
        slot.queue_packets = max(slot.queue_packets, passage.queue_packets)
        slot.queue_ms = max(slot.queue_ms, passage.queue_us / 1000)
        for arrival_us in passage.arrivals_us:
            slot = self._slot(arrival_us)
            slot.delivered += 1
            slot.delivered_bytes += size_bytes

    def between(self, from_us: float, to_us: float) -> Sequence[Slot]:
        """The slots that begin in a span of time; where nothing passed there may be none."""
        if self.start_us is None:
            return ()
        first = max(0, round((from_us - self.start_us) / SLOT_US))
        return self.slots[first : max(first, round((to_us - self.start_us) / SLOT_US))]

    def _slot(self, time_us: int) -> Slot:
        assert self.start_us is not None
        index = (time_us - self.start_us) // SLOT_US
        if index >= SLOTS_MAX:
            return Slot()
        while len(self.slots) <= index:
            self.slots.append(Slot())
        return self.slots[index]
