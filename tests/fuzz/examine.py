"""Whether a target keeps its promises on one input: declared errors, time, memory."""

import hashlib
import time
import traceback
import tracemalloc
import zlib
from contextlib import suppress
from dataclasses import dataclass
from statistics import median

from tests.fuzz.target import Run, Target

SHOWN_BYTES = 512
RETRIES = 5  # of an input that seemed slow: the machine may have been busy


@dataclass(frozen=True)
class Finding:
    """A promise that was broken. `place` is the same for the same bug on other inputs."""

    target: str
    kind: str  # "crash", "slow" or "memory"
    place: str
    told: str
    data: bytes

    @property
    def file_name(self) -> str:
        """Where to keep it; findings of one place share a name."""
        return f"{self.kind}-{hashlib.sha256(self.place.encode()).hexdigest()[:12]}"

    def __str__(self) -> str:
        """With the input in hex; a long one is packed (`zlib.decompress(bytes.fromhex(...))`)."""
        packed = len(self.data) > SHOWN_BYTES
        text = (zlib.compress(self.data) if packed else self.data).hex()
        return f"{self.kind} in {self.target}: {self.told}\ninput{' (zlib)' * packed}: {text}"


def examine(target: Target, run: Run, data: bytes, *, slack: float = 1.0) -> Finding | None:
    """Runs one input. `slack` multiplies the time it may take (under instrumentation)."""
    started = time.perf_counter()
    try:
        run(data)
    except target.errors:
        pass
    except Exception as error:
        return Finding(target.name, "crash", _place(error), _told(error), data)
    limit_ms = target.limit_ms * slack
    if (time.perf_counter() - started) * 1e3 <= limit_ms:
        return None
    spent_ms = median(_spent_ms(target, run, data) for _ in range(RETRIES))
    if spent_ms <= limit_ms:
        return None
    told = f"{spent_ms:.1f} ms, more than {limit_ms:g}, for {len(data)} bytes"
    return Finding(target.name, "slow", "slow", told, data)


def examine_memory(target: Target, run: Run, data: bytes) -> Finding | None:
    """Runs one input and measures how far Python's memory rises meanwhile; much slower."""
    peak = min(_peak_bytes(target, run, data) for _ in range(2))  # the first may fill a cache
    if peak <= target.limit_bytes:
        return None
    told = f"{peak >> 10} KiB, more than {target.limit_bytes >> 10}, for {len(data)} bytes"
    return Finding(target.name, "memory", "memory", told, data)


def _spent_ms(target: Target, run: Run, data: bytes) -> float:
    """Of this thread alone: what others do on the machine does not count."""
    started = time.process_time()
    with suppress(*target.errors):
        run(data)
    return (time.process_time() - started) * 1e3


def _peak_bytes(target: Target, run: Run, data: bytes) -> int:
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        with suppress(*target.errors):
            run(data)
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def _place(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} {last.filename.rpartition('/')[2]} {last.name} {last.lineno}"


def _told(error: Exception) -> str:
    return "".join(traceback.format_exception(type(error), error, error.__traceback__)[-6:])
