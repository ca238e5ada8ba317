"""Decoding runs in a thread of its own, fed by the session or by a stream file."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from daemon.bounded_queue import BoundedQueue
from daemon.figures import Figures
from daemon.log import event
from daemon.stage import Stage
from link.access_unit import AccessUnit
from link.clock import Clock
from viewer.decoder import StreamDecoder
from viewer.latency import Latency
from viewer.picture import Decoded
from viewer.timeline import Stamped, Timeline

UNITS_MAX = 64  # access units that may wait: 2.5 s at 25 frames/s

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class _Session:
    """One stream, from its first access unit to its last."""

    request_irap: Callable[[], None]


@dataclass(frozen=True)
class _Arrival:
    session: _Session
    unit: AccessUnit
    sequence: int
    size_bytes: int


class Decoding:
    """Turns access units into latent pictures, in order.

    `received` gets every access unit with its capture time, `decoded` every picture; both are
    called in the decoding thread and must not wait.
    """

    def __init__(
        self,
        *,
        received: Callable[[Stamped], None],
        decoded: Callable[[Decoded], None],
        failed: Callable[[BaseException], None],
        figures: Figures,
        monotonic: Clock,
        unix: Clock,
        waits: bool,
        latency: Latency | None = None,
    ) -> None:
        self._latency = latency or Latency(figures)
        self._received = received
        self._decoded = decoded
        self._figures = figures
        self._monotonic = monotonic
        self._unix = unix
        self._sequence = 0
        self._session = _Session(lambda: None)
        self._queue: BoundedQueue[_Arrival] = BoundedQueue(UNITS_MAX, waits=waits)
        self._stage = Stage("decode", self._run, failed)

    def begin(self, request_irap: Callable[[], None]) -> None:
        """A new stream: nothing of the one before holds for it."""
        self._session = _Session(request_irap)
        self._latency.begin()

    def put(self, unit: AccessUnit, size_bytes: int | None = None) -> None:
        """Decode this access unit next; `size_bytes` as it travelled, if not as it is."""
        size_bytes = len(unit.data) if size_bytes is None else size_bytes
        self._sequence += 1
        self._figures.add("frames_received")
        self._figures.rate("bits_per_s", 8 * size_bytes)
        lost = self._queue.put(_Arrival(self._session, unit, self._sequence, size_bytes))
        self._figures.add("frames_lost", lost)

    def stop(self, *, discard: bool) -> None:
        """Take no more access units; those that wait are decoded or discarded."""
        self._queue.close(discard=discard)

    def close(self, *, discard: bool) -> None:
        """Stop, and wait for the end."""
        self.stop(discard=discard)
        self._stage.join()

    def _run(self) -> None:
        session, timeline, decoder = self._session, Timeline(), self._decoder(self._session)
        while (item := self._queue.get()) is not None:
            if item.session is not session:
                session, timeline, decoder = item.session, Timeline(), self._decoder(item.session)
            started = time.perf_counter()
            stamped, error = timeline.stamp(item.unit, item.sequence, item.size_bytes, self._unix())
            if error is not None:
                self._figures.add("side_info_errors")
                event(_log, "side information ignored", level=logging.DEBUG, reason=str(error))
            self._latency.decoding(stamped, self._monotonic())
            self._received(stamped)
            pictures = decoder.decode(stamped)
            self._figures.observe("decode_ms", (time.perf_counter() - started) * 1e3)
            for picture in pictures:
                self._decoded(picture)

    def _decoder(self, session: _Session) -> StreamDecoder:
        return StreamDecoder(session.request_irap, self._figures, self._monotonic)
