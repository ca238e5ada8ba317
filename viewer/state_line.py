"""One line at the foot of a terminal that tells, live, what the viewer waits for or does."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Callable
from typing import TextIO

INTERVAL_S = 0.5
CLEAR = "\r\x1b[K"


class _ClearsFirst(logging.Filter):
    """Lets every record through, onto a clean line."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream

    def filter(self, record: logging.LogRecord) -> bool:
        self._stream.write(CLEAR)
        return True


async def show_state(stream: TextIO, words: Callable[[], str]) -> None:
    """Keep the line up to date until cancelled; nothing without a terminal."""
    if not stream.isatty():
        return
    handlers, clears = logging.getLogger().handlers, _ClearsFirst(stream)
    for handler in handlers:
        handler.addFilter(clears)
    try:
        while True:
            room = shutil.get_terminal_size().columns - 1
            stream.write(CLEAR + words()[:room])
            stream.flush()
            await asyncio.sleep(INTERVAL_S)
    finally:
        for handler in handlers:
            handler.removeFilter(clears)
        stream.write(CLEAR)
        stream.flush()
