"""One line at the foot of a terminal that tells, live, what the viewer waits for or does."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

INTERVAL_S = 0.5
CLEAR = "\r\x1b[K"


class _ClearsFirst(logging.Filter):
    """Lets every record through, onto a clean line."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream

    def filter(self, record: logging.LogRecord) -> bool:
        put(self._stream, CLEAR)
        return True


def put(stream: TextIO, text: str) -> bool:
    """Whether the terminal took it: one that went away takes nothing."""
    with suppress(OSError):
        stream.write(text)
        stream.flush()
        return True
    return False


async def show_state(stream: TextIO, words: Callable[[], str]) -> None:
    """Keep the line up to date until cancelled, or the terminal goes away; nothing without one."""
    if not stream.isatty():
        return
    handlers, clears = logging.getLogger().handlers, _ClearsFirst(stream)
    for handler in handlers:
        handler.addFilter(clears)
    try:
        while True:
            room = shutil.get_terminal_size().columns - 1
            if not put(stream, CLEAR + words()[:room]):
                return
            await asyncio.sleep(INTERVAL_S)
    finally:
        for handler in handlers:
            handler.removeFilter(clears)
        put(stream, CLEAR)
