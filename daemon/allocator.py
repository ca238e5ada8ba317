"""glibc's malloc, told to keep its memory together.

It makes an arena for each thread that allocates, up to eight a core, and gives back little of
each: with the threads of x265, ONNX Runtime and our stages that is memory which grows for hours.
"""

from __future__ import annotations

import asyncio
import ctypes
import os

ARENAS_MAX = 2
TRIM_INTERVAL_S = 60.0
_M_ARENA_MAX = -8  # malloc.h


def limit_arenas(count: int = ARENAS_MAX) -> bool:
    """Before the first thread; whether it was done. Who set MALLOC_ARENA_MAX knows better."""
    if "MALLOC_ARENA_MAX" in os.environ:
        return False
    try:
        libc = ctypes.CDLL("libc.so.6")
        return bool(libc.mallopt(_M_ARENA_MAX, count))
    except (OSError, AttributeError):  # another system or C library
        return False


def trim() -> bool:
    """Give pages that nothing uses back to the system, also from amid the heap; whether any were.

    malloc by itself gives back the end of a heap alone, and a session leaves holes.
    """
    try:
        return bool(ctypes.CDLL("libc.so.6").malloc_trim(0))
    except (OSError, AttributeError):
        return False


async def keep_trimmed() -> None:
    """For ever."""
    while True:
        await asyncio.sleep(TRIM_INTERVAL_S)
        trim()
