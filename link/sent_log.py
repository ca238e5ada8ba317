"""Packets under way, by their transport-wide numbers, until feedback tells what became of them."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from link.sequence import unwrap_sequence
from link.twcc import REFERENCE_US, Feedback

MAX_PACKETS = 8_192
MAX_LOST = 512  # that may still turn out to have been overtaken
CLOCK_TURN_US = REFERENCE_US << 24  # after which the receiver's clock begins anew: 12 days


@dataclass(frozen=True)
class SentPacket:
    """`size_bytes` as on the wire, IP and UDP headers included."""

    number: int  # unwrapped
    size_bytes: int
    sent_us: int


@dataclass(frozen=True)
class Fate:
    """What feedback tells of a packet; `arrived_us` is on the receiver's clock, None: lost."""

    packet: SentPacket
    arrived_us: int | None
    was_lost: bool = False  # as an earlier feedback told


@dataclass(frozen=True)
class UnderWay:
    """Packets that no feedback has told of: when the oldest one left, and their bytes."""

    oldest_us: int
    size_bytes: int


class SentLog:
    """Numbers packets from `first` on and matches feedback to them."""

    def __init__(self, first: int = 0) -> None:
        self._next = first
        self._packets: OrderedDict[int, SentPacket] = OrderedDict()
        self._size_bytes = 0  # of these packets
        self._lost: OrderedDict[int, SentPacket] = OrderedDict()  # as far as was told
        self._turns = 0  # of the receiver's wrapping clock
        self._last_arrival_us: int | None = None

    @property
    def next_number(self) -> int:
        """Of the next packet, unwrapped; its low 16 bits travel."""
        return self._next

    def under_way(self) -> UnderWay | None:
        """What no feedback has told of; None: it has told of all."""
        if not self._packets:
            return None
        return UnderWay(next(iter(self._packets.values())).sent_us, self._size_bytes)

    def add(self, size_bytes: int, now_us: int) -> int:
        """A packet leaves; its number."""
        number = self._next
        self._packets[number] = SentPacket(number, size_bytes, now_us)
        self._size_bytes += size_bytes
        self._next += 1
        if len(self._packets) > MAX_PACKETS:
            self._forget_oldest()
        return number

    def match(self, feedback: Feedback) -> list[Fate]:
        """Fates of the packets told of, in order of sending; each packet is told of once, and once
        more when it came after it was told to be lost.

        Packets before them that no feedback told of (it was lost itself) are forgotten.
        """
        first = unwrap_sequence(feedback.base, self._next)
        fates = []
        for number, arrived_us in enumerate(feedback.arrivals_us, start=first):
            packet = self._packets.pop(number, None)
            if packet is not None:
                self._size_bytes -= packet.size_bytes
                fates.append(Fate(packet, self._unwrapped(arrived_us)))
                if arrived_us is None:
                    self._lost[number] = packet
            elif arrived_us is not None and number in self._lost:
                fates.append(
                    Fate(self._lost.pop(number), self._unwrapped(arrived_us), was_lost=True)
                )
        while self._packets and next(iter(self._packets)) < first:
            self._forget_oldest()
        while len(self._lost) > MAX_LOST:
            self._lost.popitem(last=False)
        return fates

    def _forget_oldest(self) -> None:
        _, packet = self._packets.popitem(last=False)
        self._size_bytes -= packet.size_bytes

    def _unwrapped(self, arrived_us: int | None) -> int | None:
        if arrived_us is None:
            return None
        arrived_us += self._turns * CLOCK_TURN_US
        if self._last_arrival_us is not None:
            if arrived_us < self._last_arrival_us - CLOCK_TURN_US // 2:
                self._turns += 1
                arrived_us += CLOCK_TURN_US
            elif arrived_us > self._last_arrival_us + CLOCK_TURN_US // 2:
                return arrived_us - CLOCK_TURN_US  # late, of the turn before
        self._last_arrival_us = arrived_us
        return arrived_us
