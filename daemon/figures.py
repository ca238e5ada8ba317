"""Live figures of a daemon: counters, gauges, and what a value was over the last minute."""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import TypeAlias

WINDOW_S = 60.0
RATE_WINDOW_S = 3.0
MAX_SAMPLES = 4096  # of one name: a minute at 68 values a second

Number: TypeAlias = int | float
Snapshot: TypeAlias = dict[str, Number | str | dict[str, float]]


class Figures:
    """What a daemon tells about itself. Every method may be called from any thread.

    Counters (`add`), gauges (`set`, numbers or strings), amounts per second over the last
    three seconds (`rate`), and values of which the median, the 95th percentile and the maximum
    over the last minute count (`observe`).
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counters: dict[str, Number] = {}
        self._gauges: dict[str, Number | str] = {}
        self._rates: dict[str, deque[tuple[float, float]]] = {}
        self._samples: dict[str, deque[tuple[float, float]]] = {}

    def add(self, name: str, n: Number = 1) -> None:
        with self._lock:
            self._counters[name] = self._counters.get(name, 0) + n

    def set(self, name: str, value: Number | str) -> None:
        with self._lock:
            self._gauges[name] = value

    def rate(self, name: str, amount: Number) -> None:
        """Count `amount` into the figure `name`, which shows the amount per second."""
        self._append(self._rates, name, amount, RATE_WINDOW_S)

    def observe(self, name: str, value: Number) -> None:
        self._append(self._samples, name, value, WINDOW_S)

    def snapshot(self) -> Snapshot:
        """All figures now, by name; observed ones as `{"p50": .., "p95": .., "max": ..}`."""
        now = self._clock()
        with self._lock:
            figures: Snapshot = {**self._counters, **self._gauges}
            for name, amounts in self._rates.items():
                _forget(amounts, now - RATE_WINDOW_S)
                figures[name] = round(sum(amount for _, amount in amounts) / RATE_WINDOW_S, 3)
            for name, samples in self._samples.items():
                _forget(samples, now - WINDOW_S)
                if samples:
                    figures[name] = _summary(sorted(value for _, value in samples))
        return dict(sorted(figures.items()))

    def prometheus(self, prefix: str) -> str:
        """The same in the Prometheus text format; strings become labels of `<prefix>_info`."""
        figures = self.snapshot()
        with self._lock:
            counters = frozenset(self._counters)
        lines = []
        for name, value in figures.items():
            full = f"{prefix}_{name}"
            if isinstance(value, dict):
                lines.append(f"# TYPE {full} gauge")
                lines += [f'{full}{{stat="{stat}"}} {n}' for stat, n in value.items()]
            elif not isinstance(value, str):
                full += "_total" * (name in counters)
                lines += [f"# TYPE {full} {'counter' if name in counters else 'gauge'}"]
                lines += [f"{full} {value}"]
        labels = ",".join(f'{n}="{_escaped(v)}"' for n, v in _strings(figures).items())
        lines += [f"# TYPE {prefix}_info gauge", f"{prefix}_info{{{labels}}} 1"]
        return "\n".join(lines) + "\n"

    def _append(
        self, series: dict[str, deque[tuple[float, float]]], name: str, value: Number, keep_s: float
    ) -> None:
        now = self._clock()
        with self._lock:
            values = series.setdefault(name, deque(maxlen=MAX_SAMPLES))
            values.append((now, value))
            _forget(values, now - keep_s)


def _forget(values: deque[tuple[float, float]], before: float) -> None:
    while values and values[0][0] < before:
        values.popleft()


def _summary(ordered: list[float]) -> dict[str, float]:
    last = len(ordered) - 1
    ranks = {"p50": round(0.5 * last), "p95": round(0.95 * last), "max": last}
    return {stat: round(ordered[rank], 3) for stat, rank in ranks.items()}


def _strings(figures: Mapping[str, object]) -> dict[str, str]:
    return {name: value for name, value in figures.items() if isinstance(value, str)}


def _escaped(text: str) -> str:
    return re.sub(r'(["\\])', r"\\\1", text).replace("\n", r"\n")
