"""Record: the compressed stream into a Matroska file, as it travels."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import av

from daemon.bounded_queue import BoundedQueue
from daemon.errors import RunError
from daemon.figures import Figures
from daemon.log import event
from daemon.stage import Stage
from daemon.stream_file import StreamFile
from streamer.encode import CodedUnit

QUEUE_UNITS = 64  # access units waiting for the disk; then the encoder waits with them
CLOSE_TIMEOUT_S = 30.0  # for a disk that hangs

_log = logging.getLogger(__name__)


class Record:
    """Writes every access unit in a thread of its own; a slow disk holds the encoder up.

    A disk that refuses is told once and survived: what was written before stays playable, and
    writing goes on with the next IRAP that the disk takes. The end is then a RunError. Raises
    UsageError when the file cannot be made.
    """

    wants = True

    def __init__(self, path: Path, figures: Figures) -> None:
        self._file = StreamFile(path)
        self._figures = figures
        self._queue: BoundedQueue[CodedUnit] = BoundedQueue(QUEUE_UNITS, waits=True)
        self._lost = 0
        self._needs_irap = False
        self._stage = Stage("record", self._write_all, self._broken)
        event(_log, "recording the stream", file=self._file.path)

    def put(self, coded: CodedUnit) -> None:
        self._queue.put(coded)

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def finish(self) -> None:
        """Write what waits, and the index. Raises RunError when pictures were lost."""
        self._queue.close()
        if not await asyncio.to_thread(self._stage.join, CLOSE_TIMEOUT_S):
            raise RunError(f"{self._file.path} hangs: its end may be missing")
        if self._lost:
            raise RunError(f"{self._lost} pictures could not be written to {self._file.path}")
        event(_log, "recorded", file=self._file.path)

    def _write_all(self) -> None:
        try:
            while (coded := self._queue.get()) is not None:
                self._write(coded)
        finally:
            self._file.close()

    def _write(self, coded: CodedUnit) -> None:
        if self._needs_irap and not coded.unit.irap:
            self._lost += 1
            return
        try:
            self._file.write(coded.unit, coded.captured_us)
            self._needs_irap = False
            self._figures.add("frames_recorded")
        except (OSError, av.FFmpegError) as error:
            if not self._lost:
                event(_log, f"cannot write: {error}", level=logging.ERROR, file=self._file.path)
            self._lost += 1
            self._needs_irap = True

    def _broken(self, error: BaseException) -> None:
        """Closing the file failed; whatever is still put is lost."""
        self._queue.close(discard=True)
        self._lost += 1
        event(_log, f"cannot write: {error}", level=logging.ERROR, file=self._file.path)
