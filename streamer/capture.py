"""Capture: reads the source for ever, whatever the source does.

A live source that brings nothing for two seconds means "no signal"; one that hangs is left behind
and opened anew. Only the end of a file, or a source that cannot be opened at all, ends the stage.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, replace
from typing import Protocol

from daemon.bounded_queue import BoundedQueue
from daemon.errors import UsageError
from daemon.figures import Figures
from daemon.log import event
from engines.frame import Frame
from streamer.reader import Reader
from streamer.sources.source import Source, SourceError

LIVE, NO_SIGNAL = "live", "no signal"
HUNG_READERS_MAX = 4  # each holds a thread and a picture; then no more are started

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Shot:
    """A frame, and how many of its kind a second are to be expected."""

    frame: Frame
    fps: float


@dataclass(frozen=True)
class Patience:
    """How long capture waits for a live source, in seconds."""

    no_signal_s: float = 2.0  # without a frame
    hang_s: float = 10.0  # of a reader, until another is started
    retry_s: float = 1.0  # between two attempts to open the source


class Opener(Protocol):
    """Opens the source; after the first time at the size, and at most the frame rate, of then."""

    def __call__(self, size: tuple[int, int] | None, fps: float | None) -> Source: ...


class Capture:
    """Runs until the source ends or `stop` is called; call `run` in a thread of its own.

    The frames' numbers go on rising when a source is opened anew.
    """

    def __init__(
        self,
        name: str,
        open_source: Opener,
        shots: BoundedQueue[Shot],
        figures: Figures,
        *,
        live: bool,
        patience: Patience | None = None,
    ) -> None:
        self._name = name
        self._open = open_source
        self._shots = shots
        self._figures = figures
        self._live = live
        self._patience = patience or Patience()
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._state = ""
        self._size: tuple[int, int] | None = None
        self._fps: float | None = None
        self._next_number = 0

    def stop(self) -> None:
        """End the stage; a reader that hangs is left to itself."""
        self._stopped.set()
        self._shots.close(discard=True)

    def run(self) -> None:
        """Raises UsageError when the source cannot be opened, and opening again cannot help."""
        reader = self._start()
        hung: list[Reader] = []
        try:
            while not self._stopped.is_set():
                if reader.wait_ended(self._patience.no_signal_s / 4):
                    if not self._goes_on(reader):
                        return
                    self._stopped.wait(self._patience.retry_s)
                    reader = self._start()
                elif self._live and reader.silent_s() >= self._patience.no_signal_s:
                    self._enter(NO_SIGNAL, "it sends nothing")
                    hung = [other for other in hung if not other.ended]
                    if reader.silent_s() >= self._patience.hang_s and len(hung) < HUNG_READERS_MAX:
                        reader.abandon()
                        hung.append(reader)
                        reader = self._start()
        finally:
            reader.abandon()
            self._shots.close()

    def _start(self) -> Reader:
        base = self._next_number

        def deliver(source: Source, frame: Frame, cpu_s: float) -> None:
            self._figures.observe("capture_ms", cpu_s * 1e3)
            self._arrived(source, replace(frame, number=base + frame.number))

        return Reader(lambda: self._open(self._size, self._fps), deliver)

    def _goes_on(self, reader: Reader) -> bool:
        """Whether an ended reader is to be followed by another. Raises what ended it for good."""
        error = reader.error
        if error is None or self._stopped.is_set():
            return False
        was_open = self._size is not None
        if not isinstance(error, SourceError) and not (isinstance(error, UsageError) and was_open):
            raise error
        self._enter(NO_SIGNAL, str(error))
        return True

    def _arrived(self, source: Source, frame: Frame) -> None:
        self._size = source.size
        self._fps = self._fps or source.fps  # what a camera says may be low once, and must not stay
        self._next_number = frame.number + 1
        self._enter(LIVE)
        self._figures.add("frames_captured")
        self._figures.add("frames_skipped", self._shots.put(Shot(frame, source.fps)))

    def _enter(self, state: str, why: str = "") -> None:
        with self._lock:
            before, self._state = self._state, state
        if state == before:
            return
        self._figures.set("source", state)
        if state == NO_SIGNAL:
            event(_log, f"no signal: {why}", level=logging.WARNING, source=self._name)
        else:
            what = "the source is back" if before else "source opened"
            size = "x".join(map(str, self._size or ()))
            event(_log, what, source=self._name, size=size, fps=self._fps)
