"""Wall and CPU time by stage."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Times:
    """One stage: milliseconds per frame."""

    median_ms: float  # wall
    cpu_ms: float  # mean, over all threads


def total(stages: Mapping[str, Times]) -> Times:
    """Of stages one after the other."""
    return Times(sum(t.median_ms for t in stages.values()), sum(t.cpu_ms for t in stages.values()))


class Stopwatch:
    """Collects times by stage; a stage's first run and what is not `counting` are left out."""

    def __init__(self) -> None:
        self.counting = True
        self._samples: dict[str, list[tuple[float, float]]] = {}  # seconds per frame: wall, CPU

    @contextmanager
    def stage(self, name: str, frames: int = 1) -> Iterator[None]:
        """Time what is done inside, for so many frames at once."""
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        cpu_s, wall_s = time.process_time() - cpu, time.perf_counter() - wall
        if name not in self._samples:
            self._samples[name] = []
        elif self.counting:
            self._samples[name].append((wall_s / frames, cpu_s / frames))

    def times(self) -> dict[str, Times]:
        """By stage, of those that were counted at least once."""
        return {
            name: Times(
                1e3 * statistics.median(wall for wall, _ in samples),
                1e3 * statistics.fmean(cpu for _, cpu in samples),
            )
            for name, samples in self._samples.items()
            if samples
        }
