"""The sender's side of forward error correction: repair packets behind each picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from link.fec import FecWindow
from link.packet import MediaPacket

PACKETS_GAIN = 0.1  # of the mean packets a picture
PICTURES_PER_S_MAX = 120.0
CREDIT_MAX = 32.0  # repair packets of one picture


@dataclass(frozen=True)
class RepairPacket:
    """Ready for its RTP header."""

    number: int
    timestamp: int
    payload: bytes


class Protection:
    """Fed with every packet as it leaves. `share(packets_per_s)` tells how many repair packets
    there shall be for each; they come with the last packet of a picture, over the whole window."""

    def __init__(self, share: Callable[[float], float], first_number: int) -> None:
        self._share = share
        self._window = FecWindow()
        self._number = first_number
        self._credit = 0.0
        self._packets_per_s = 0.0
        self._picture_packets = 0
        self._last_us: int | None = None

    def add(self, packet: MediaPacket, now_us: int) -> list[RepairPacket]:
        """A packet leaves; what should leave behind it."""
        self._window.add(packet)
        self._picture_packets += 1
        if not packet.marker:
            return []
        share = self._share(self._rate(now_us))
        self._credit = min(self._credit + share * self._picture_packets, CREDIT_MAX)
        if not share:
            self._credit = 0.0
        self._picture_packets = 0
        repairs = []
        while self._credit >= 1:
            self._credit -= 1
            timestamp, payload = self._window.repair(self._number)
            repairs.append(RepairPacket(self._number, timestamp, payload))
            self._number = (self._number + 1) & 0xFFFF
        return repairs

    def _rate(self, now_us: int) -> float:
        """Mean packets a second."""
        if self._last_us is not None:
            passed_s = max((now_us - self._last_us) / 1e6, 1 / PICTURES_PER_S_MAX)
            now = self._picture_packets / passed_s
            gain = PACKETS_GAIN if self._packets_per_s else 1.0
            self._packets_per_s += gain * (now - self._packets_per_s)
        self._last_us = now_us
        return self._packets_per_s
