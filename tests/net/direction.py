"""A link model on the event loop: each datagram is handed on when it has arrived."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

from tests.net.flow import Flow
from tests.net.link_model import LinkModel

WAITING_MAX = 100_000  # datagrams under way; more are dropped

MEDIA_FIRST_BYTES = range(128, 192)  # RFC 7983, section 7

Deliver = Callable[[bytes], None]


def monotonic_us() -> int:
    """The clock of the emulated link."""
    return time.monotonic_ns() // 1000


class Direction:
    """One direction: every session over the link shares it. For one event loop."""

    def __init__(self, model: LinkModel) -> None:
        self.model = model
        self.flow = Flow()
        self.late_us = 0  # the longest that this program itself held up a datagram
        self.first_media_us: int | None = None  # when SRTP or SRTCP entered: the session is up
        self._order = count()
        self._waiting: list[tuple[int, int, bytes, Deliver]] = []  # a heap by arrival
        self._timer: asyncio.TimerHandle | None = None

    def carry(self, data: bytes, deliver: Deliver) -> None:
        """A datagram enters; `deliver` gets it at each of its arrivals, which may be at once."""
        now_us = monotonic_us()
        passage = self.model.send(len(data), now_us)
        self.flow.add(len(data), now_us, passage)
        if self.first_media_us is None and data and data[0] in MEDIA_FIRST_BYTES:
            self.first_media_us = now_us
        for arrival_us in passage.arrivals_us:
            if len(self._waiting) < WAITING_MAX:
                heappush(self._waiting, (arrival_us, next(self._order), data, deliver))
        self._deliver()

    def close(self) -> None:
        """What is still under way is gone."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _deliver(self) -> None:
        while self._waiting and self._waiting[0][0] <= (now_us := monotonic_us()):
            arrival_us, _, data, deliver = heappop(self._waiting)
            self.late_us = max(self.late_us, now_us - arrival_us)
            deliver(data)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting:
            wait_s = max(0.0, (self._waiting[0][0] - monotonic_us()) / 1e6)
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._deliver)
