"""The stages behind the receivers, wired: decode -> buffer -> reconstruct -> sinks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack

from daemon.figures import Figures
from link.clock import monotonic_us, unix_us
from viewer.buffer import LatentBuffer
from viewer.config import ViewerConfig
from viewer.picture import Shown
from viewer.place import Place
from viewer.reconstruct import Reconstruction
from viewer.restorers import Restorers
from viewer.sinks.sink import Sink


class Pipeline:
    """Give access units to the `decoding` of one of the `places`; the pictures come out of the
    sinks of its configuration, and of those given.

    Raises UsageError when a sink cannot be opened.
    """

    def __init__(
        self,
        config: ViewerConfig,
        streams: Sequence[tuple[Figures, Sequence[Sink[Shown]]]],
        restorers: Restorers,
    ) -> None:
        """`streams` are the figures and further sinks of each place."""
        self._loop = asyncio.get_running_loop()
        self._failure: asyncio.Future[None] = self._loop.create_future()
        waits = config.keeps_every_frame
        self._buffer = LatentBuffer(
            budget_us=None if waits else config.latency_budget * 1000,
            batch_max=config.batch_max,
            clock=monotonic_us,
            dropped=lambda place, n: streams[place][0].add("frames_dropped", n),
            lanes=len(streams),
        )
        self.places: list[Place] = []
        with ExitStack() as opened:
            for number, (figures, sinks) in enumerate(streams):
                own = config.for_place(number)
                place = Place(number, own, figures, sinks, buffer=self._buffer, failed=self.fail)
                opened.callback(place.close)
                self.places.append(place)
            opened.pop_all()
        self._reconstruction = Reconstruction(
            buffer=self._buffer,
            restorers=restorers,
            outlets=[place.outlet for place in self.places],
            failed=self.fail,
            monotonic=monotonic_us,
            unix=unix_us,
        )

    def fail(self, error: BaseException) -> None:
        """End the viewer with this error; callable from any thread."""
        self._loop.call_soon_threadsafe(self._set_failure, error)

    @property
    def has_failed(self) -> bool:
        return self._failure.done()

    async def failure(self) -> None:
        """Wait for a stage to fail, and raise what it raised."""
        await asyncio.shield(self._failure)

    def pictures_done(self) -> int:
        """How many access units are accounted for: shown, dropped or lost."""
        names = ("frames_shown", "frames_dropped", "frames_lost")
        snapshots = [place.figures.snapshot() for place in self.places]
        counts = [figures.get(name, 0) for figures in snapshots for name in names]
        return sum(int(count) for count in counts if isinstance(count, (int, float)))

    def sink_error(self) -> str:
        """Why a sink ended early, or nothing."""
        errors = [sink.error for place in self.places for sink in place.sinks]
        return "; ".join(error for error in errors if error)

    def drain(self) -> None:
        """Wait, in a thread, until everything given to `decoding` is on its way to the sinks."""
        for place in self.places:
            place.decoding.close(discard=False)
        self._reconstruction.close(discard=False)

    def abandon(self) -> None:
        """Let go of everything that waits, so that no stage waits for another."""
        self._buffer.close(discard=True)
        for place in self.places:
            place.decoding.stop(discard=True)

    def close(self, *, discard: bool) -> None:
        """End every stage, in the order of the flow, and finish the recordings. Blocks."""
        if discard:
            self.abandon()
        self.drain()
        for place in self.places:
            place.end()  # all at once: one that hangs is no reason for the others to wait
        for place in self.places:
            place.close()

    def _set_failure(self, error: BaseException) -> None:
        if not self._failure.done():
            self._failure.set_exception(error)
            self._failure.exception()  # told to whoever waits; nobody waiting is no bug
