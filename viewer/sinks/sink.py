"""What a sink is, and the thread that keeps a slow one from holding the others up."""

from __future__ import annotations

import logging
import time
from typing import Generic, Protocol, TypeVar

from daemon.bounded_queue import BoundedQueue
from daemon.figures import Figures
from daemon.log import event
from daemon.stage import Stage

CLOSE_TIMEOUT_S = 30.0  # a disk that hangs must not keep the viewer from ending

T = TypeVar("T")
Consumed = TypeVar("Consumed", contravariant=True)

_log = logging.getLogger(__name__)


class Sink(Protocol[Consumed]):
    """Takes values one after another, in its own thread; it may be slow."""

    @property
    def name(self) -> str: ...

    @property
    def capacity(self) -> int:
        """How many values may wait for it; live, the oldest then makes room for the newest."""
        ...

    def show(self, value: Consumed) -> None: ...

    def close(self) -> None:
        """Finish whatever it writes; called after the last `show`, in the same thread."""
        ...


class SinkThread(Generic[T]):
    """A sink behind its own bounded queue."""

    def __init__(self, sink: Sink[T], figures: Figures, *, waits: bool) -> None:
        self.error = ""  # why it ended early
        self._sink = sink
        self._figures = figures
        self._queue: BoundedQueue[T] = BoundedQueue(sink.capacity, waits=waits)
        self._stage = Stage(f"sink-{sink.name}", self._run, self._failed)

    def put(self, value: T) -> None:
        """Leave a value for the sink; waits only where nothing may be lost."""
        self._figures.add(f"{self._sink.name}_dropped", self._queue.put(value))

    def end(self, *, discard: bool = False) -> None:
        """Let the sink end, after everything that waits or at once; does not wait for it."""
        self._queue.close(discard=discard)

    def close(self, *, discard: bool = False) -> None:
        """End the sink and wait until what it has written is finished."""
        self.end(discard=discard)
        if not self._stage.join(CLOSE_TIMEOUT_S):
            event(_log, "a sink hangs and is left behind", sink=self._sink.name)

    def _run(self) -> None:
        try:
            while (value := self._queue.get()) is not None:
                started = time.perf_counter()
                self._sink.show(value)
                self._figures.observe("sink_ms", (time.perf_counter() - started) * 1e3)
        finally:
            self._sink.close()

    def _failed(self, error: BaseException) -> None:
        """The other sinks go on without this one."""
        self._queue.close(discard=True)
        self.error = f"{self._sink.name}: {error}"
        event(_log, f"{self._sink.name} ended: {error}", level=logging.ERROR)
