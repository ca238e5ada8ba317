"""Memory of a process that runs for months: kept together, and given back.

glibc's malloc makes an arena for each thread that allocates, up to eight a core, and gives back
little of each. Python's collector looks for cycles in everything that was ever imported, which
takes 0.1 s of standstill and therefore comes hours apart; until then, what ended sessions and
requests leave behind grows.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os

ARENAS_MAX = 2
TIDY_INTERVAL_S = 60.0
_M_ARENA_MAX = -8  # malloc.h


def limit_arenas(count: int = ARENAS_MAX) -> bool:
    """Before the first thread; whether it was done. Who set MALLOC_ARENA_MAX knows better."""
    return "MALLOC_ARENA_MAX" not in os.environ and _glibc("mallopt", _M_ARENA_MAX, count)


def settle() -> None:
    """After all imports: what is there now stays, and the collector need not look at it again."""
    gc.freeze()  # a collection first would take 0.1 s and finds nothing


def tidy() -> int:
    """Collect cycles, and give free pages back to the system; the number of objects collected.

    A few milliseconds once it is settled.
    """
    collected = gc.collect()
    _glibc("malloc_trim", 0)
    return collected


async def keep_tidy() -> None:
    """For ever."""
    while True:
        await asyncio.sleep(TIDY_INTERVAL_S)
        tidy()


def _glibc(function: str, *arguments: int) -> bool:
    """Whether it came true; it does not on another system or C library."""
    try:
        return bool(getattr(ctypes.CDLL("libc.so.6"), function)(*arguments))
    except (OSError, AttributeError):
        return False
