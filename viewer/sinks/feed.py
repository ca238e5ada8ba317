"""A moving picture for any number of browsers: each picture is encoded once, the newest wins."""

from __future__ import annotations

import asyncio
import threading

from engines.frame import Planes
from viewer.sinks.still import JpegEncoder


class Feed:
    """Pictures come in from a sink's thread and go out to tasks of the event loop as JPEG.

    Nothing is encoded while nobody looks; a browser that is slow skips pictures.
    """

    def __init__(self) -> None:
        self._encoder = JpegEncoder()
        self._encoding = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watchers: set[asyncio.Event] = set()
        self._newest: Planes | None = None
        self._jpeg: tuple[Planes, bytes] | None = None
        self._closed = False

    @property
    def newest(self) -> Planes | None:
        """The last picture, for a snapshot."""
        return self._newest

    def still(self) -> bytes | None:
        """The last picture as JPEG; called from any thread."""
        newest = self._newest
        return None if newest is None else self._encode(newest)

    def put(self, planes: Planes) -> None:
        """The next picture; called from one thread."""
        self._newest = planes
        loop = self._loop
        if not self._watchers or loop is None or loop.is_closed():
            return
        self._encode(planes)
        loop.call_soon_threadsafe(self._wake)

    async def watch(self) -> Watcher:
        """A new browser."""
        self._loop = asyncio.get_running_loop()
        return Watcher(self)

    def close(self) -> None:
        """Send every browser home; called on the event loop."""
        self._closed = True
        self._wake()

    def _encode(self, planes: Planes) -> bytes:
        with self._encoding:
            if self._jpeg is None or self._jpeg[0] is not planes:
                self._jpeg = (planes, self._encoder.encode(planes))
            return self._jpeg[1]

    def _wake(self) -> None:
        for event in self._watchers:
            event.set()


class Watcher:
    """One browser: `async with` it and ask for the next picture again and again."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._changed = asyncio.Event()
        self._seen: Planes | None = None

    async def __aenter__(self) -> Watcher:
        self._feed._watchers.add(self._changed)
        self._changed.set()
        return self

    async def __aexit__(self, *error: object) -> None:
        self._feed._watchers.discard(self._changed)

    async def next_jpeg(self) -> bytes | None:
        """The newest picture, once it is another than the last one; None at the end."""
        while not self._feed._closed:
            await self._changed.wait()
            self._changed.clear()
            newest = self._feed.newest
            if newest is not None and newest is not self._seen:
                self._seen = newest
                return await asyncio.to_thread(self._feed._encode, newest)
        return None
