"""What this process takes of the machine: for figures that are to stay flat for months."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

_SELF = Path("/proc/self")  # Linux


def process_figures() -> dict[str, int]:
    """Resident bytes, open descriptors, threads, asyncio tasks; called on the event loop.

    What the system does not tell is left out.
    """
    figures = {"process_threads": threading.active_count(), "process_tasks": _tasks()}
    try:
        pages = int((_SELF / "statm").read_text(encoding="ascii").split()[1])
        figures["process_memory_bytes"] = pages * os.sysconf("SC_PAGE_SIZE")
        figures["process_files"] = len(os.listdir(_SELF / "fd")) - 1  # less the one that lists
        figures["process_threads"] = len(os.listdir(_SELF / "task"))  # native ones too
    except OSError:
        pass
    return figures


def _tasks() -> int:
    """All but the one that asks."""
    return len(asyncio.all_tasks()) - 1
