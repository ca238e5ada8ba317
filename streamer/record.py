"""Record: the compressed stream into a Matroska file, as it travels."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from pathlib import Path

from daemon.bounded_queue import BoundedQueue
from daemon.errors import RunError
from daemon.figures import Figures
from daemon.log import event
from daemon.persistence import Persistence
from daemon.stage import Stage
from daemon.stream_file import StreamFile
from streamer.carrier import CodedUnit
from streamer.clock import Clock, unix_us

QUEUE_UNITS = 64  # access units waiting for the disk; then the encoder waits with them
CLOSE_TIMEOUT_S = 30.0  # for a disk that hangs

_log = logging.getLogger(__name__)


class Record:
    """Writes every access unit in a thread of its own; a slow disk holds the encoder up.

    A disk that refuses is told once; what was written before stays playable. With `persists` (a
    live source, or a viewer that is being sent to) writing resumes, in the next free file, at an
    IRAP; without, that is the end. Either way pictures were lost, and `finish` says so. Raises
    UsageError when the file cannot be made.
    """

    wants = True

    def __init__(
        self, path: Path, figures: Figures, *, persists: bool = True, clock: Clock = unix_us
    ) -> None:
        self._path = path
        self._file: StreamFile | None = StreamFile(path)
        self._figures = figures
        self._persistence = Persistence("record", path, figures, clock, persists=persists)
        self._queue: BoundedQueue[CodedUnit] = BoundedQueue(QUEUE_UNITS, waits=True)
        self._written = self._lost = 0
        self._loop = asyncio.get_running_loop()
        self._given_up = asyncio.Event()
        self._stage = Stage("record", self._write_all, self._give_up)
        figures.set("state", "recording")
        event(_log, "recording the stream", file=self._file.path)

    def put(self, coded: CodedUnit) -> None:
        self._queue.put(coded)

    async def run(self) -> None:
        """Wait until the disk is given up. Raises RunError then."""
        await self._given_up.wait()
        raise RunError(self._what_is_missing())

    async def finish(self) -> None:
        """Write what waits, and the index. Raises RunError when pictures were lost."""
        self._queue.close()
        if not await asyncio.to_thread(self._stage.join, CLOSE_TIMEOUT_S):
            raise RunError(f"{self._path}: the disk hangs, and the end may be missing")
        if self._lost:
            raise RunError(self._what_is_missing())

    def _write_all(self) -> None:
        try:
            while (coded := self._queue.get()) is not None:
                before = self._written
                if self._file is not None or coded.unit.irap:
                    self._persistence.write(partial(self._write, coded), self._close)
                self._lost += self._written == before
        finally:
            self._close()

    def _write(self, coded: CodedUnit) -> None:
        if self._file is None:
            self._file = StreamFile(self._path)
        self._file.write(coded.unit, coded.captured_us)
        self._written += 1
        self._figures.add("frames_recorded")

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()
            if self._written:
                event(_log, "recorded", file=file.path, frames=self._written)

    def _give_up(self, error: BaseException) -> None:
        """The disk refused for good; whatever is still put is lost."""
        self._queue.close(discard=True)
        self._lost += 1
        event(_log, f"cannot write: {error}", level=logging.ERROR, file=self._path)
        self._loop.call_soon_threadsafe(self._given_up.set)

    def _what_is_missing(self) -> str:
        return f"{self._path}: the disk refused pictures, {self._lost} or more are missing"
