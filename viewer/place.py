"""One of the streams that a viewer takes: its way from the link to its own sinks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, TypeAlias, TypeVar

from daemon.figures import Figures
from link.clock import monotonic_us, unix_us
from viewer.buffer import LatentBuffer
from viewer.config import ViewerConfig
from viewer.decode import Decoding
from viewer.latency import Latency
from viewer.outlet import Outlet
from viewer.picture import Decoded, Shown
from viewer.sinks.frame_log import FrameLog
from viewer.sinks.later import Later
from viewer.sinks.sink import Sink, SinkThread
from viewer.sinks.stream_record import StreamRecord
from viewer.timeline import Stamped

T = TypeVar("T")
FileSink: TypeAlias = FrameLog | StreamRecord


class Place:
    """Access units go into `decoding`; latents come out of it into the buffer, and restored
    pictures of them go through `outlet` to the sinks of this place, `sinks` among them.

    Nothing of one place waits for another. Raises UsageError when a file cannot be made.
    """

    def __init__(
        self,
        number: int,
        config: ViewerConfig,
        figures: Figures,
        sinks: Sequence[Sink[Shown]],
        *,
        buffer: LatentBuffer,
        failed: Callable[[BaseException], None],
    ) -> None:
        """`config` as it is for this place (`ViewerConfig.for_place`)."""
        self.number = number
        self.figures = figures
        self.latency = Latency(figures)
        self._config = config
        self._buffer = buffer
        own: list[Sink[Shown]] = []
        if (log := config.log_frames) is not None:
            own.append(self._file(FrameLog, lambda: FrameLog(log)))
        with ExitStack() as opened:
            self._sinks = [self._thread(opened, sink) for sink in [*own, *sinks]]
            self._records: list[SinkThread[Stamped]] = []
            if config.record_stream is not None:
                record = self._file(StreamRecord, self._stream_record)
                self._records.append(self._thread(opened, record))
            opened.pop_all()
        self.outlet = Outlet(self._show, figures, self.latency, config.listen is not None)
        self.decoding = Decoding(
            received=self._received,
            decoded=self._decoded,
            failed=failed,
            figures=figures,
            monotonic=monotonic_us,
            unix=unix_us,
            waits=config.keeps_every_frame,
            latency=self.latency,
        )
        for name in ("frames_received", "frames_shown", "frames_dropped", "frames_lost"):
            figures.add(name, 0)

    @property
    def sinks(self) -> list[SinkThread[Any]]:
        """All of them."""
        return [*self._sinks, *self._records]

    def end(self) -> None:
        """Let decoding and the sinks end, after everything that waits for them."""
        self.decoding.stop(discard=False)
        for sink in self.sinks:
            sink.end()

    def close(self) -> None:
        """End, and wait until the recordings are finished."""
        self.end()
        self.decoding.close(discard=False)
        for sink in self.sinks:
            sink.close()

    def _stream_record(self) -> StreamRecord:
        config = self._config
        assert config.record_stream is not None
        return StreamRecord(
            config.record_stream,
            self.figures,
            monotonic_us,
            persists=config.listen is not None,
            split=config.record_split,
        )

    def _file(self, kind: type[FileSink], make: Callable[[], Sink[T]]) -> Sink[T]:
        """Made at once at the first place, where a mistake ends the viewer's start; at the others
        once a stream comes."""
        return make() if self.number == 0 else Later(kind.name, kind.capacity, make)

    def _thread(self, opened: ExitStack, sink: Sink[T]) -> SinkThread[T]:
        thread = SinkThread(sink, self.figures, waits=self._config.keeps_every_frame)
        opened.callback(thread.close)
        return thread

    def _show(self, shown: Shown) -> None:
        for sink in self._sinks:
            sink.put(shown)

    def _received(self, stamped: Stamped) -> None:
        for record in self._records:
            record.put(stamped)

    def _decoded(self, picture: Decoded) -> None:
        self._buffer.put(replace(picture, place=self.number) if self.number else picture)
