"""glibc's malloc, told to keep its memory together.

It makes an arena for each thread that allocates, up to eight a core, and gives back little of
each: with the threads of x265, ONNX Runtime and our stages that is memory which grows for hours.
"""

from __future__ import annotations

import ctypes
import os

ARENAS_MAX = 2
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
