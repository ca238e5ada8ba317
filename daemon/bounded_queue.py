"""A bounded queue between two threads: when full, the oldest value goes or the writer waits."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class BoundedQueue(Generic[T]):
    """Holds at most `capacity` values, in order.

    With `waits` a full queue holds the writer up and nothing is lost (restoring a file); without
    it the oldest value makes room (live).
    """

    def __init__(self, capacity: int, *, waits: bool) -> None:
        self._capacity = capacity
        self._waits = waits
        self._values: deque[T] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, value: T) -> int:
        """Append a value; the number of values lost by it: 0, or 1."""
        with self._changed:
            while self._waits and len(self._values) >= self._capacity and not self._closed:
                self._changed.wait()
            if self._closed:
                return 1
            lost = len(self._values) >= self._capacity
            if lost:
                self._values.popleft()
            self._values.append(value)
            self._changed.notify_all()
            return int(lost)

    def get(self) -> T | None:
        """The oldest value, waiting for one; None once the queue is closed and empty."""
        with self._changed:
            while not self._values and not self._closed:
                self._changed.wait()
            if not self._values:
                return None
            self._changed.notify_all()
            return self._values.popleft()

    def close(self, *, discard: bool = False) -> None:
        """No more values. What is inside still comes out, unless it is to be discarded."""
        with self._changed:
            self._closed = True
            if discard:
                self._values.clear()
            self._changed.notify_all()

    def __len__(self) -> int:
        return len(self._values)
