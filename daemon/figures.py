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
    over the last minute count (`observe`). `streams` holds the figures of each stream where there
    may be several, by number.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counters: dict[str, Number] = {}
        self._gauges: dict[str, Number | str] = {}
        self._rates: dict[str, deque[tuple[float, float]]] = {}
        self._samples: dict[str, deque[tuple[float, float]]] = {}
        self.streams: dict[str, Figures] = {}

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

    def document(self) -> dict[str, object]:
        """`snapshot`, with those of the streams under `streams` where there may be several."""
        streams = {number: figures.snapshot() for number, figures in self.streams.items()}
        return {**self.snapshot(), **({"streams": streams} if streams else {})}

    def prometheus(self, prefix: str) -> str:
        """The same in the Prometheus text format; strings become labels of `<prefix>_info`, and
        figures of one of several streams have the label `stream`."""
        families: dict[str, tuple[str, list[str]]] = {}
        self._expose(prefix, {}, families)
        for number, figures in self.streams.items():
            figures._expose(prefix, {"stream": number}, families)
        lines = []
        for name, (kind, samples) in families.items():
            lines += [f"# TYPE {name} {kind}", *samples]
        return "\n".join(lines) + "\n"

    def _expose(
        self, prefix: str, labels: dict[str, str], families: dict[str, tuple[str, list[str]]]
    ) -> None:
        """Add every figure to the samples of its family, with its type."""
        figures = self.snapshot()
        with self._lock:
            counters = frozenset(self._counters)

        def add(name: str, kind: str, more: Mapping[str, str], value: Number) -> None:
            text = ",".join(f'{n}="{_escaped(v)}"' for n, v in {**labels, **more}.items())
            sample = f"{name}{{{text}}} {value}" if text else f"{name} {value}"
            families.setdefault(name, (kind, []))[1].append(sample)

        for name, value in figures.items():
            full = f"{prefix}_{name}"
            if isinstance(value, dict):
                for stat, n in value.items():
                    add(full, "gauge", {"stat": stat}, n)
            elif not isinstance(value, str):
                is_counter = name in counters
                kind = "counter" if is_counter else "gauge"
                add(full + "_total" * is_counter, kind, {}, value)
        strings = {name: value for name, value in figures.items() if isinstance(value, str)}
        add(f"{prefix}_info", "gauge", strings, 1)

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


def _escaped(text: str) -> str:
    return re.sub(r'(["\\])', r"\\\1", text).replace("\n", r"\n")
