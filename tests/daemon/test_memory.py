"""What daemons do about memory, in processes of their own: most of it cannot be taken back."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import ctypes, sys, threading
from daemon.memory import limit_arenas
print(limit_arenas())
threads = [threading.Thread(target=lambda: [bytes(5000) for _ in range(1000)]) for _ in range(16)]
for t in threads: t.start()
for t in threads: t.join()
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
out = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, out)
libc.fflush(out)
"""

HOLES = """
from daemon.memory import limit_arenas, tidy
from daemon.process import process_figures
import asyncio

async def resident():
    return process_figures()["process_memory_bytes"] / (1 << 20)

limit_arenas()
blocks = [bytearray(50_000) for _ in range(2000)]  # 100 MB
last = blocks[-1]
blocks.clear()
before = asyncio.run(resident())
tidy()
print(before - asyncio.run(resident()))
"""

CYCLES = """
import gc, time
import viewer.app, streamer.app
from daemon.memory import settle, tidy

gc.disable()  # by itself

def tidied():
    gc.collect()
    for _ in range(1000):
        cycle = []
        cycle.append(cycle)
    del cycle
    start = time.perf_counter()
    return tidy(), time.perf_counter() - start

_, before = tidied()
settle()
print(*tidied(), before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="not glibc")
@pytest.mark.parametrize("configured", [False, True])
def test_threads_share_two_arenas_unless_configured_otherwise(configured: bool) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "MALLOC_ARENA_MAX"}
    environment |= {"MALLOC_ARENA_MAX": "3"} if configured else {}
    printed = _printed(PROGRAM, environment)
    assert printed.startswith(str(not configured))
    assert printed.count("<heap nr=") <= (3 if configured else 2)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="not glibc")
def test_a_heap_under_a_block_in_use_is_given_back() -> None:
    assert float(_printed(HOLES, dict(os.environ))) > 50


def test_a_settled_process_collects_what_came_later_and_soon() -> None:
    collected, settled_s, unsettled_s = map(float, _printed(CYCLES, dict(os.environ)).split())
    assert collected == 1000
    assert settled_s < 0.5 * unsettled_s


def _printed(program: str, environment: dict[str, str]) -> str:
    return subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True,
        timeout=60, check=True,
    ).stdout  # fmt: skip
