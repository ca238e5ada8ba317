"""Sessions of the WHIP server, one after another; their access units go to the decoder."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from daemon.figures import Figures
from daemon.log import event
from link.access_unit import AccessUnit
from link.errors import SessionEnded
from link.stats import ReceiverStats
from viewer.decode import Decoding
from viewer.latency import Latency

LISTENING, RECEIVING, NO_SIGNAL = "listening", "receiving", "no signal"
STATS_INTERVAL_S = 1.0

_log = logging.getLogger(__name__)


class Receiver(Protocol):
    """What the viewer needs of `link.receiver.MediaReceiver`."""

    async def receive(self) -> AccessUnit: ...

    def request_irap(self) -> None: ...

    def stats(self) -> ReceiverStats: ...


class Reception:
    """Feeds the access units of every session to the decoder; waits for the next for ever."""

    def __init__(self, decoding: Decoding, figures: Figures, latency: Latency) -> None:
        self._decoding = decoding
        self._latency = latency
        self._figures = figures
        self.ended = asyncio.Event()  # the first session is over
        figures.set("state", LISTENING)

    async def on_session(self, receiver: Receiver) -> None:
        """One session, until it ends."""
        loop = asyncio.get_running_loop()

        def request_irap() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(receiver.request_irap)

        event(_log, "streamer connected")
        self._figures.set("state", RECEIVING)
        self._figures.add("sessions")
        self._decoding.begin(request_irap)
        watch = asyncio.create_task(self._watch(receiver))
        try:
            while True:
                self._decoding.put(await receiver.receive())
        except SessionEnded as end:
            event(_log, "stream ended", reason=str(end))
        finally:
            watch.cancel()
            self._figures.set("state", LISTENING)
            self.ended.set()

    async def _watch(self, receiver: Receiver) -> None:
        """The figures of the network, and whether anything comes at all."""
        bytes_before = -1
        while True:
            stats = receiver.stats()
            self._figures.set("packets_received", stats.packets_received)
            self._figures.set("packets_lost", stats.packets_lost)
            self._figures.set("packets_recovered", stats.packets_recovered)
            self._figures.set("packets_repaired", stats.packets_repaired)
            self._figures.set("access_units_lost", stats.units_lost)
            self._figures.set("jitter_ms", round(stats.jitter_ms, 3))
            self._latency.reported(stats.clock, stats.sent)
            silent = stats.bytes_received == bytes_before
            self._figures.set("state", NO_SIGNAL if silent else RECEIVING)
            bytes_before = stats.bytes_received
            await asyncio.sleep(STATS_INTERVAL_S)
