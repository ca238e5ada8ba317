"""Record: the compressed stream into a Matroska file, as it travels."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

from daemon.bounded_queue import BoundedQueue
from daemon.errors import RunError
from daemon.figures import Figures
from daemon.log import event
from daemon.persistence import Persistence
from daemon.stage import Stage
from daemon.stream_file import StreamFile
from link.clock import Clock, unix_us
from streamer.carrier import CodedUnit

QUEUE_UNITS = 256  # access units waiting for the disk: some ten seconds
ASK_EVERY_US = (
    60_000_000  # for an IRAP to resume at: a disk that goes on refusing must not cost more
)
CLOSE_TIMEOUT_S = 30.0  # for a disk that hangs

_log = logging.getLogger(__name__)


class Record:
    """Writes every access unit in a thread of its own.

    With `persists` (a live source, or a viewer that is being sent to) the disk holds nobody up:
    while it lags, or refuses, which is told once, pictures are left out up to an IRAP, which is
    asked for; after a refusal writing resumes in the next free file. Without it, the encoder waits
    for a slow disk, and one that refuses is the end. Either way what was written before stays
    playable, and `finish` says when pictures were lost. Raises UsageError when the file cannot be
    made; not so `beside` a viewer, where that may pass (a card that is full or read-only).
    """

    wants = True

    def __init__(
        self,
        path: Path,
        figures: Figures,
        *,
        persists: bool = True,
        beside: bool = False,
        request_irap: Callable[[], None] = lambda: None,
        clock: Clock = unix_us,
    ) -> None:
        self._path = path
        self._figures = figures
        self._persists = persists
        self._request_irap = request_irap
        self._clock = clock
        self._persistence = Persistence("record", path, figures, clock, persists=persists)
        open_file = partial(StreamFile, path)
        self._file = self._persistence.first(open_file) if beside else open_file()
        self._queue: BoundedQueue[CodedUnit] = BoundedQueue(QUEUE_UNITS, waits=True)
        self._lags = False
        self._asked_us: int | None = None
        self._left_out = self._taken = self._written = self._lost = 0
        self._loop = asyncio.get_running_loop()
        self._given_up = asyncio.Event()
        self._stage = Stage("record", self._write_all, self._give_up)
        figures.set("state", "recording")
        if self._file is not None:
            event(_log, "recording the stream", file=self._file.path)

    def put(self, coded: CodedUnit) -> None:
        if self._persists and not self._keeps_up(coded):
            self._left_out += 1
            self._figures.add("record_errors")
            return
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
        if self._lost or self._left_out:
            raise RunError(self._what_is_missing())

    def _keeps_up(self, coded: CodedUnit) -> bool:
        """Whether the picture may wait for the disk; one that lags gets the next IRAP again."""
        waiting = len(self._queue)
        if not self._lags and waiting >= QUEUE_UNITS:
            self._lags = True
            event(
                _log,
                "the disk is too slow: pictures are left out of the recording",
                level=logging.ERROR,
                file=self._path,
            )
        elif self._lags and waiting < QUEUE_UNITS // 2:
            if coded.unit.irap:
                self._lags = False
                event(_log, "the recording goes on", file=self._path, left_out=self._left_out)
            else:
                self._ask_for_irap()
        return not self._lags

    def _ask_for_irap(self) -> None:
        now_us = self._clock()
        if self._asked_us is None or now_us - self._asked_us >= ASK_EVERY_US:
            self._asked_us = now_us
            self._request_irap()

    def _write_all(self) -> None:
        try:
            while (coded := self._queue.get()) is not None:
                before = self._taken
                self._persistence.write(partial(self._write, coded), self._close)
                self._lost += self._taken == before
        finally:
            self._close()

    def _write(self, coded: CodedUnit) -> None:
        if self._file is None:
            self._file = StreamFile(self._path)
        if self._file.write(coded.unit, coded.captured_us):
            self._written += 1
            self._figures.add("frames_recorded")
        else:
            self._ask_for_irap()
        self._taken += 1

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
        lost = self._lost + self._left_out
        return (
            f"{self._path}: the disk refused pictures or was too slow, {lost} or more are missing"
        )
