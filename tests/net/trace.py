"""Capacity over time from measurements: a list of rates, or a mahimahi trace."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

from tests.net.knobs import Knobs
from tests.net.schedule import Phase, Schedule

MAHIMAHI_PACKET_BYTES = 1500  # that each line of a trace lets pass (mm-link(1))
SLOT_MS = 100  # a trace's lines are counted in slots of this length
TRACE_MAX_MS = 3_600_000


def from_rates(rates: Iterable[tuple[float, float]], base: Knobs = Knobs()) -> Schedule:  # noqa: B008 - frozen
    """A schedule of (duration in s, kbit/s), played again and again; `base` says the rest."""
    return Schedule(
        tuple(Phase(duration_s, replace(base, capacity_kbps=kbps)) for duration_s, kbps in rates),
        repeats=True,
    )


def from_mahimahi(text: str, base: Knobs = Knobs()) -> Schedule:  # noqa: B008 - frozen
    """A schedule of a mahimahi trace, played again and again.

    Each line is a time in ms at which 1500 bytes may leave; the last one ends the trace. Times
    within a slot are evened out. Raises ValueError for a line that is no time, or goes back.
    """
    times = [_milliseconds(line) for line in text.split("\n") if line.strip()]
    if not times or times[-1] == 0:
        raise ValueError("a trace without a duration")
    if any(a > b for a, b in pairwise(times)):
        raise ValueError("the times of a trace go backwards")
    end_ms = times[-1]
    packets = Counter(min(time_ms, end_ms - 1) // SLOT_MS for time_ms in times)
    phases = []
    for slot in range((end_ms - 1) // SLOT_MS + 1):
        length_ms = min(SLOT_MS, end_ms - slot * SLOT_MS)
        kbps = packets[slot] * MAHIMAHI_PACKET_BYTES * 8 / length_ms
        phases.append(Phase(length_ms / 1000, replace(base, capacity_kbps=kbps)))
    return Schedule(tuple(phases), repeats=True)


def _milliseconds(line: str) -> int:
    text = line.strip()
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text) <= TRACE_MAX_MS):
        raise ValueError(f"a line of a trace is no time in ms: {text[:20]!r}")
    return int(text)
