"""One life of a source: opened, read and closed by a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from engines.frame import Frame
from streamer.sources.source import Source


class Reader:
    """Reads until the source ends, fails, or the reader is abandoned.

    `deliver(source, frame, cpu_s)` gets each frame and the time that this thread computed for it
    (decoding and conversion; waiting does not count). It may wait for the taker: what is watched
    is only how long the *source* makes us wait.
    """

    def __init__(
        self,
        open_source: Callable[[], Source],
        deliver: Callable[[Source, Frame, float], None],
    ) -> None:
        self.error: Exception | None = None  # what ended it; None for the end of the source
        self._open = open_source
        self._deliver = deliver
        self._abandoned = threading.Event()
        self._ended = threading.Event()
        self._waiting_since: float | None = time.monotonic()
        threading.Thread(target=self._run, name="capture-reader", daemon=True).start()

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    def wait_ended(self, timeout_s: float) -> bool:
        return self._ended.wait(timeout_s)

    def silent_s(self) -> float:
        """For how long the source has been silent by now."""
        since = self._waiting_since
        return 0.0 if since is None else time.monotonic() - since

    def abandon(self) -> None:
        """Deliver nothing more, and close the source as soon as it lets go."""
        self._abandoned.set()

    def _run(self) -> None:
        try:
            source = self._open()
            try:
                while not self._abandoned.is_set() and self._read_one(source):
                    pass
            finally:
                source.close()
        except Exception as error:
            self.error = error
        finally:
            self._ended.set()

    def _read_one(self, source: Source) -> bool:
        self._waiting_since = time.monotonic()
        cpu_s = time.thread_time()
        frame = source.read()
        cpu_s = time.thread_time() - cpu_s
        self._waiting_since = None
        if frame is None:
            return False
        if not self._abandoned.is_set():
            self._deliver(source, frame, cpu_s)
        return True
