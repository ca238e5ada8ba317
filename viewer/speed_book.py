"""What was measured before: how long an engine takes a picture on this device.

A JSON file in the state folder: key -> microseconds. It only saves time: what is wrong in it is
found out while running, and a file that cannot be read or written is as good as none.
"""

from __future__ import annotations

import json
import logging
import math
import os
import platform
import threading
from functools import lru_cache
from pathlib import Path

from daemon.log import event
from engines.codec import Partner
from engines.latent import Latent

FILE_NAME = "speeds.json"
ENTRIES_MAX = 256
BYTES_MAX = 1 << 18
WORTH_WRITING = 0.1  # relative change

_log = logging.getLogger(__name__)


class SpeedBook:
    """May be used from any thread; without a path it forgets when the program ends."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._costs_us = {} if path is None else _read(path)

    def get(self, key: str) -> float | None:
        """Microseconds a picture, if known."""
        with self._lock:
            return self._costs_us.get(key)

    def put(self, key: str, cost_us: float) -> None:
        """Keep it; written when it is news."""
        with self._lock:
            before = self._costs_us.pop(key, None)
            self._costs_us[key] = round(cost_us)
            while len(self._costs_us) > ENTRIES_MAX:
                del self._costs_us[next(iter(self._costs_us))]
            is_news = before is None or abs(before - cost_us) > WORTH_WRITING * before
            if is_news and self._path is not None:
                self._write(self._path)

    def _write(self, path: Path) -> None:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            beside = path.with_suffix(f".{os.getpid()}")
            beside.write_text(json.dumps(self._costs_us, indent=1) + "\n", encoding="utf-8")
            beside.replace(path)
        except OSError as error:
            event(_log, "speeds are not kept", level=logging.DEBUG, reason=str(error))


def speed_key(runtime: str, partner: Partner, latent: Latent, threads: int) -> str:
    """Everything that a speed depends on: device, runtime and its version, weights, size, scale."""
    size = f"{latent.source_width}x{latent.source_height}/{latent.scale}"
    return "|".join((device(), runtime, partner.name, partner.digest, size, str(threads)))


@lru_cache(maxsize=1)
def device() -> str:
    """The processor, as the system calls it, and how many of it."""
    name = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith(("model name", "Model", "Hardware")):
                name = line.partition(":")[2].strip()
                break
    except (OSError, ValueError):
        pass
    return f"{name} x {os.cpu_count()}"


def _read(path: Path) -> dict[str, float]:
    try:
        if path.stat().st_size > BYTES_MAX:
            return {}
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(document, dict):
        return {}
    return {
        key: float(value)
        for key, value in list(document.items())[-ENTRIES_MAX:]
        if isinstance(value, (int, float)) and math.isfinite(value) and value > 0
    }
