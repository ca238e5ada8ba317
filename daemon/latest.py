"""A one-place mailbox: the newest value wins, and what it pushed out is counted."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Generic, TypeVar

T = TypeVar("T")


class MailboxClosedError(Exception):
    """Nothing is left in the mailbox and nothing will come."""


class Latest(Generic[T]):
    """Hands values from one side to one other side; either may be a thread or a task.

    `put` never waits. A closed mailbox still gives out the value it holds.
    """

    def __init__(self) -> None:
        self.replaced = 0
        self._filled = threading.Condition()
        self._values: list[T] = []  # empty or one value, so that None is a value too
        self._closed = False
        self._waiter: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None

    def put(self, value: T) -> bool:
        """Leave a value; true if it replaced one that nobody had taken."""
        with self._filled:
            replaced = bool(self._values)
            self.replaced += replaced
            self._values = [value]
            self._wake()
        return replaced

    def close(self) -> None:
        """No more values: `get` and `wait` raise MailboxClosedError once the mailbox is empty."""
        with self._filled:
            self._closed = True
            self._wake()

    def get(self, timeout_s: float | None = None) -> T:
        """Take the value, waiting in this thread.

        Raises TimeoutError after `timeout_s`, MailboxClosedError when no value can come any more.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        with self._filled:
            while True:
                if self._values:
                    return self._values.pop()
                if self._closed:
                    raise MailboxClosedError
                left_s = None if deadline is None else deadline - time.monotonic()
                if left_s is not None and left_s <= 0:
                    raise TimeoutError
                self._filled.wait(left_s)

    async def wait(self) -> T:
        """Take the value, waiting in this task. Raises MailboxClosedError like `get`."""
        while True:
            with self._filled:
                if self._values:
                    return self._values.pop()
                if self._closed:
                    raise MailboxClosedError
                ready = asyncio.Event()
                self._waiter = (asyncio.get_running_loop(), ready)
            await ready.wait()

    def _wake(self) -> None:
        self._filled.notify()
        if self._waiter is not None:
            loop, ready = self._waiter
            self._waiter = None
            if not loop.is_closed():
                loop.call_soon_threadsafe(ready.set)
