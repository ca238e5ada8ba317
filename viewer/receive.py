"""Sessions of the WHIP server; the access units of each go to the decoder of its place."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from daemon.figures import Figures
from daemon.log import event
from link.access_unit import AccessUnit
from link.errors import SessionEnded
from link.stats import ReceiverStats
from viewer.place import Place

LISTENING, RECEIVING, NO_SIGNAL = "listening", "receiving", "no signal"
STATS_INTERVAL_S = 1.0

_log = logging.getLogger(__name__)


class Receiver(Protocol):
    """What the viewer needs of `link.receiver.MediaReceiver`."""

    peer_id: str
    peer_name: str

    async def receive(self) -> AccessUnit: ...

    def request_irap(self) -> None: ...

    def stats(self) -> ReceiverStats: ...


class Reception:
    """Feeds the access units of every session to the decoder of a place; waits for the next for
    ever. A box that comes back gets its place again."""

    def __init__(self, places: Sequence[Place], figures: Figures) -> None:
        self._places = places
        self._figures = figures
        self._sessions: dict[int, Receiver] = {}  # by place: the one that was last there
        self._running: set[int] = set()  # places of sessions that go on
        self.ended = asyncio.Event()  # there was a session, and none is left
        self._states: dict[int, str] = {}
        for place in places:
            self._enter(place, LISTENING)

    async def on_session(self, receiver: Receiver) -> None:
        """One session, until it ends."""
        loop = asyncio.get_running_loop()
        place = self._place_for(receiver)

        def request_irap() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(receiver.request_irap)

        which = {"stream": place.number} if len(self._places) > 1 else {}
        event(_log, "streamer connected", name=receiver.peer_name, **which)
        self._sessions[place.number] = receiver
        self._running.add(place.number)
        self._enter(place, RECEIVING)
        place.figures.set("peer", receiver.peer_name)
        self._figures.add("sessions")
        place.decoding.begin(request_irap)
        watch = asyncio.create_task(self._watch(place, receiver))
        try:
            while True:
                place.decoding.put(await receiver.receive())
        except SessionEnded as end:
            event(_log, "stream ended", reason=str(end), **which)
        finally:
            watch.cancel()
            if self._sessions[place.number] is receiver:  # nobody took over
                self._running.discard(place.number)
                self._enter(place, LISTENING)
            if not self._running:
                self.ended.set()

    def _place_for(self, receiver: Receiver) -> Place:
        """The place that it had, else one that nobody had, else any that is free."""

        def preference(place: Place) -> tuple[bool, bool, bool]:
            last = self._sessions.get(place.number)
            was_its = last is not None and last.peer_id == receiver.peer_id
            return place.number in self._running, not was_its, last is not None

        return min(self._places, key=preference)

    async def _watch(self, place: Place, receiver: Receiver) -> None:
        """The figures of the network, and whether anything comes at all."""
        figures, bytes_before = place.figures, -1
        while True:
            stats = receiver.stats()
            figures.set("packets_received", stats.packets_received)
            figures.set("packets_lost", stats.packets_lost)
            figures.set("packets_recovered", stats.packets_recovered)
            figures.set("packets_repaired", stats.packets_repaired)
            figures.set("access_units_lost", stats.units_lost)
            figures.set("jitter_ms", round(stats.jitter_ms, 3))
            place.latency.reported(stats.clock, stats.sent)
            silent = stats.bytes_received == bytes_before
            self._enter(place, NO_SIGNAL if silent else RECEIVING)
            bytes_before = stats.bytes_received
            await asyncio.sleep(STATS_INTERVAL_S)

    def _enter(self, place: Place, state: str) -> None:
        """The state of the whole viewer is that of the stream that is best off."""
        self._states[place.number] = state
        place.figures.set("state", state)
        order = (RECEIVING, NO_SIGNAL, LISTENING)
        self._figures.set("state", min(self._states.values(), key=order.index))
