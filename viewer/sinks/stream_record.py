"""The stream as it was received, in Matroska, without re-encoding."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import av

from daemon.figures import Figures
from daemon.hvcc import configuration
from daemon.log import event
from daemon.persistence import Persistence
from daemon.split import Split
from daemon.stream_file import StreamFile
from link.clock import Clock
from viewer.timeline import Stamped

_log = logging.getLogger(__name__)


class StreamRecord:
    """Writes access units with their side information, timed by capture.

    It starts at an IRAP, and after a loss it goes on at the next one, so that every picture in
    the file decodes; a `split` happens at an IRAP, so that every file can be played alone. Write
    errors are met as by `Record`.
    """

    name = "record_stream"
    capacity = 256  # access units: small, and each one lost costs all up to the next IRAP

    def __init__(
        self,
        path: Path,
        figures: Figures,
        clock: Clock,
        *,
        persists: bool,
        split: Split | None = None,
    ) -> None:
        self._path = path
        self._split = split
        self._persistence = Persistence(self.name, path, figures, clock, persists=persists)
        self._file: StreamFile | None = self._persistence.first(self._open)
        self._next_sequence: int | None = None  # None: nothing is in the file yet

    def show(self, value: Stamped) -> None:
        follows = value.sequence == self._next_sequence and not value.unit.gap_before
        starts = value.unit.irap and (self._next_sequence is not None or _is_whole(value.unit.data))
        if follows or starts:
            self._persistence.write(lambda: self._write(value), self.close)

    def close(self) -> None:
        file, is_empty = self._file, self._next_sequence is None
        self._file = self._next_sequence = None
        if file is not None:
            file.close()
            if not is_empty:
                event(_log, "stream recorded", file=file.path)

    def _open(self) -> StreamFile:
        return StreamFile(self._path, numbered=self._split is not None)

    def _write(self, value: Stamped) -> None:
        if value.unit.irap and self._file is not None and self._file.is_over(self._split):
            self.close()
        self._file = self._file or self._open()
        self._file.write(value.unit, value.captured_us)
        self._next_sequence = value.sequence + 1


def _is_whole(irap: bytes) -> bool:
    """Whether its parameter sets can be read: the header of the file is made of them."""
    if configuration(irap) is None:
        return False
    try:
        with av.open(io.BytesIO(irap), format="hevc") as probe:
            return bool(probe.streams.video[0].width)
    except (av.FFmpegError, IndexError):
        return False
