"""The stages behind the receiver, wired: decode -> buffer -> reconstruct -> sinks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from daemon.figures import Figures
from viewer.buffer import LatentBuffer
from viewer.clock import monotonic_us, unix_us
from viewer.config import ViewerConfig
from viewer.decode import Decoding
from viewer.latency import Latency
from viewer.picture import Shown
from viewer.reconstruct import Reconstruction
from viewer.restorers import Restorers
from viewer.sinks.frame_log import FrameLog
from viewer.sinks.sink import Sink, SinkThread
from viewer.sinks.stream_record import StreamRecord
from viewer.sinks.web import WebPage
from viewer.timeline import Stamped


class Pipeline:
    """Give access units to `decoding`; the pictures come out of the sinks of the configuration,
    and of `more`.

    Raises UsageError when a sink cannot be opened.
    """

    def __init__(
        self,
        config: ViewerConfig,
        figures: Figures,
        restorers: Restorers,
        page: WebPage | None,
        more: Sequence[Sink[Shown]] = (),
    ) -> None:
        self._config = config
        self._figures = figures
        self._loop = asyncio.get_running_loop()
        self._failure: asyncio.Future[None] = self._loop.create_future()
        self.latency = Latency(figures)
        live, waits = config.listen is not None, config.keeps_every_frame
        with ExitStack() as opened:
            self._sinks = self._open_sinks(opened, page, more)
            self._stream_record = self._open_stream_record(opened)
            opened.pop_all()
        self._buffer = LatentBuffer(
            budget_us=None if waits else config.latency_budget * 1000,
            batch_max=config.batch_max,
            clock=monotonic_us,
            dropped=lambda pictures: figures.add("frames_dropped", pictures),
        )
        self._reconstruction = Reconstruction(
            buffer=self._buffer,
            restorers=restorers,
            show=self._show,
            failed=self.fail,
            figures=figures,
            monotonic=monotonic_us,
            unix=unix_us,
            live=live,
            latency=self.latency,
        )
        self.decoding = Decoding(
            received=self._received,
            decoded=self._buffer.put,
            failed=self.fail,
            figures=figures,
            monotonic=monotonic_us,
            unix=unix_us,
            waits=waits,
            latency=self.latency,
        )
        for name in ("frames_received", "frames_shown", "frames_dropped", "frames_lost"):
            figures.add(name, 0)

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
        figures = self._figures.snapshot()
        names = ("frames_shown", "frames_dropped", "frames_lost")
        counts = (figures.get(name, 0) for name in names)
        return sum(int(count) for count in counts if isinstance(count, (int, float)))

    def sink_error(self) -> str:
        """Why a sink ended early, or nothing."""
        errors = [sink.error for sink in self._sinks]
        if self._stream_record is not None:
            errors.append(self._stream_record.error)
        return "; ".join(error for error in errors if error)

    def drain(self) -> None:
        """Wait, in a thread, until everything given to `decoding` is on its way to the sinks."""
        self.decoding.close(discard=False)
        self._reconstruction.close(discard=False)

    def abandon(self) -> None:
        """Let go of everything that waits, so that no stage waits for another."""
        self._buffer.close(discard=True)
        self.decoding.stop(discard=True)

    def close(self, *, discard: bool) -> None:
        """End every stage, in the order of the flow, and finish the recordings. Blocks."""
        if discard:
            self.abandon()
        self.drain()
        threads: list[SinkThread[Any]] = [*self._sinks]
        if self._stream_record is not None:
            threads.append(self._stream_record)
        for thread in threads:
            thread.end()  # all at once: one that hangs is no reason for the others to wait
        for thread in threads:
            thread.close()

    def _open_sinks(
        self, opened: ExitStack, page: WebPage | None, more: Sequence[Sink[Shown]]
    ) -> list[SinkThread[Shown]]:
        config = self._config
        sinks: list[SinkThread[Shown]] = []
        if config.log_frames is not None:
            sinks.append(self._thread(opened, FrameLog(config.log_frames)))
        if page is not None:
            sinks.append(self._thread(opened, page))
        sinks += [self._thread(opened, sink) for sink in more]
        return sinks

    def _open_stream_record(self, opened: ExitStack) -> SinkThread[Stamped] | None:
        path = self._config.record_stream
        if path is None:
            return None
        live = self._config.listen is not None
        split = self._config.record_split
        record = StreamRecord(path, self._figures, monotonic_us, persists=live, split=split)
        thread: SinkThread[Stamped] = SinkThread(
            record, self._figures, waits=self._config.keeps_every_frame
        )
        opened.callback(thread.close)
        return thread

    def _thread(self, opened: ExitStack, sink: Sink[Shown]) -> SinkThread[Shown]:
        thread = SinkThread(sink, self._figures, waits=self._config.keeps_every_frame)
        opened.callback(thread.close)
        return thread

    def _show(self, shown: Shown) -> None:
        for sink in self._sinks:
            sink.put(shown)

    def _received(self, stamped: Stamped) -> None:
        if self._stream_record is not None:
            self._stream_record.put(stamped)

    def _set_failure(self, error: BaseException) -> None:
        if not self._failure.done():
            self._failure.set_exception(error)
            self._failure.exception()  # told to whoever waits; nobody waiting is no bug
