"""The life of one media session: its tasks, its end, and the one reason for it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine

CLOSED_HERE = "closed here"  # the reason where this end closed the session

logger = logging.getLogger(__name__)


class SessionLife:
    """Runs a session's tasks until the first call of `end`; then cancels them and cleans up once.

    `clean_up` gets the reason; what it raises is logged, and the session is over all the same.
    """

    def __init__(self, clean_up: Callable[[str], Awaitable[None]]) -> None:
        self.reason: str | None = None
        self._clean_up = clean_up
        self._tasks: list[asyncio.Task[None]] = []
        self._over = asyncio.Event()
        self._closing: asyncio.Task[None] | None = None

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        """Runs `work` as a part of the session; the session ends when it fails."""
        if self.reason is not None:
            work.close()
            return
        task = asyncio.ensure_future(work)
        task.add_done_callback(self._on_done)
        self._tasks.append(task)

    def end(self, reason: str) -> None:
        """Ends the session; only the first reason counts."""
        if self.reason is None:
            self.reason = reason
            self._closing = asyncio.ensure_future(self._close(reason))
            self._over.set()

    async def wait(self) -> str:
        """Waits until the session is over and everything of it closed; why it ended."""
        await self._over.wait()
        assert self._closing is not None
        assert self.reason is not None
        await asyncio.shield(self._closing)
        return self.reason

    async def _close(self, reason: str) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            await self._clean_up(reason)
        except Exception:
            logger.exception("the clean-up of the media session failed")

    def _on_done(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            logger.error("a task of the media session failed", exc_info=error)
            self.end(f"internal error: {error!r}")
