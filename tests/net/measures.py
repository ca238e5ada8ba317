"""From what was shown and what passed the link to the figures of a run. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf

import numpy as np

from tests.net.flow import SLOT_US, Flow, Slot
from tests.net.schedule import Schedule
from tests.net.shown import ShownPicture

DROP_PATIENCE_S = 3.0  # after a drop of capacity, then the queue has to be short again
FILL_PATIENCE_S = 10.0  # after a change of capacity, then it has to be used
PATIENCE_SHARE = 2 / 3  # of a phase at most, so that shortened runs still measure
FULL_RATE_SHARE = 0.9  # of the frames within a second
LEFT_AFTER_S = 2.0  # after a blackout, when what is left of it in latency is measured


@dataclass(frozen=True)
class Span:
    """A stretch of time, us."""

    start_us: int
    end_us: int

    @property
    def seconds(self) -> float:
        return (self.end_us - self.start_us) / 1e6


@dataclass(frozen=True)
class Evidence:
    """Everything that one run left; all times are Unix us."""

    shown: Sequence[ShownPicture]
    window: Span  # that is measured
    fps: float
    up: Flow  # its slots by the link's clock
    link_clock_us: int  # what that clock is behind Unix time
    schedule: Schedule  # of the way up; begins with the window
    bitrate_bps: int  # that the encoder was given
    offered_us: int | None  # when the first offer came
    connected_us: int | None  # when the first media packet entered the link
    sessions: int
    undecodable: int | None  # access units; None: the peer does not tell
    skipped: int | None  # frames that the sender left out before encoding, for want of time
    disturbed: Span | None  # a blackout, or loss that no stream can bear


@dataclass(frozen=True)
class Measures:
    """None: does not apply, or nothing was shown to tell it by; infinite: never came about."""

    shown_percent: float
    freezes: int
    freeze_percent: float  # of the time
    longest_freeze_ms: float
    latency_p50_ms: float | None  # capture to shown
    latency_p95_ms: float | None
    rate_kbps: float  # that arrived, headers included
    self_made_loss_percent: float  # of the datagrams, for want of a place in the queue
    connect_ms: float | None  # from the offer to the first media packet
    first_picture_ms: float | None  # from the offer on
    sessions: int
    undecodable: int | None
    skipped_percent: float | None  # of the frames, before encoding: the machine's doing
    recover_ms: float | None = None  # from the end of the disturbance to the first picture
    full_rate_ms: float | None = None  # ... to the first second with 90% of its frames
    latency_left_ms: float | None = None  # p50 after it, more than before it
    added_queue_ms: float | None = None  # p95, from 3 s after a drop of capacity on; worst phase
    capacity_used_percent: float | None = None  # from 10 s into a phase on; worst phase
    rate_of_clean_percent: float | None = None  # the clean run's rate is 100


def measure(evidence: Evidence) -> Measures:
    """The figures of a run."""
    window, shown = evidence.window, evidence.shown
    inside = [p for p in shown if window.start_us <= p.captured_us < window.end_us]
    latencies = [p.latency_ms for p in inside]
    gaps = freezes(shown, window, evidence.fps)
    frozen_us = sum(gap.end_us - gap.start_us for gap in gaps)
    slots = _slots(evidence, window)
    sent = sum(slot.sent for slot in slots)
    return Measures(
        shown_percent=min(100.0, 100 * len({p.number for p in inside}) / _due(evidence)),
        freezes=len(gaps),
        freeze_percent=100 * frozen_us / (window.end_us - window.start_us),
        longest_freeze_ms=max((gap.end_us - gap.start_us for gap in gaps), default=0) / 1000,
        latency_p50_ms=_percentile(latencies, 50),
        latency_p95_ms=_percentile(latencies, 95),
        rate_kbps=sum(slot.delivered_bytes for slot in slots) * 8 / 1000 / window.seconds,
        self_made_loss_percent=100 * sum(s.overflowed for s in slots) / sent if sent else 0.0,
        connect_ms=_since_offer_ms(evidence, evidence.connected_us),
        first_picture_ms=_since_offer_ms(evidence, min((p.shown_us for p in shown), default=None)),
        sessions=evidence.sessions,
        undecodable=evidence.undecodable,
        skipped_percent=None
        if evidence.skipped is None
        else 100 * evidence.skipped / _due(evidence),
        added_queue_ms=_added_queue_ms(evidence),
        capacity_used_percent=_capacity_used_percent(evidence),
        **_after_disturbance(evidence),
    )


def freezes(shown: Sequence[ShownPicture], window: Span, fps: float) -> list[Span]:
    """Gaps between shown pictures of more than max(3 x interval, interval + 150 ms).

    As `freezeCount` of W3C webrtc-stats, with the source's interval for the mean. A gap that is
    open at either end of the window counts up to it.
    """
    interval_us = 1e6 / fps
    limit_us = max(3 * interval_us, interval_us + 150_000)
    times = sorted(p.shown_us for p in shown)
    before = [time for time in times if time <= window.start_us][-1:] or [window.start_us]
    inside = [time for time in times if window.start_us < time < window.end_us]
    after = [time for time in times if time >= window.end_us][:1] or [window.end_us]
    return [
        Span(max(a, window.start_us), min(b, window.end_us))
        for a, b in pairwise([*before, *inside, *after])
        if b - a > limit_us
    ]


def _since_offer_ms(evidence: Evidence, time_us: int | None) -> float | None:
    if evidence.offered_us is None or time_us is None:
        return None
    return (time_us - evidence.offered_us) / 1000


def _due(evidence: Evidence) -> float:
    return max(1.0, evidence.window.seconds * evidence.fps)


def _percentile(values: Sequence[float], percent: float) -> float | None:
    return float(np.percentile(values, percent)) if values else None


def _slots(evidence: Evidence, span: Span) -> Sequence[Slot]:
    return evidence.up.between(
        span.start_us - evidence.link_clock_us, span.end_us - evidence.link_clock_us
    )


def _after_disturbance(evidence: Evidence) -> dict[str, float | None]:
    if evidence.disturbed is None:
        return {}
    end_us, needed = evidence.disturbed.end_us, FULL_RATE_SHARE * evidence.fps
    after = sorted(p.shown_us for p in evidence.shown if p.shown_us >= end_us)
    full = [time for time in after if sum(time <= other < time + 1e6 for other in after) >= needed]
    return {
        "recover_ms": (after[0] - end_us) / 1000 if after else inf,
        "full_rate_ms": (full[0] - end_us) / 1000 if full else inf,
        "latency_left_ms": _latency_left_ms(evidence, evidence.disturbed),
    }


def _latency_left_ms(evidence: Evidence, disturbed: Span) -> float | None:
    def p50_ms(start_us: float, end_us: float) -> float | None:
        inside = (p for p in evidence.shown if start_us <= p.shown_us < end_us)
        return _percentile([p.latency_ms for p in inside], 50)

    window = evidence.window
    before = p50_ms(window.start_us, disturbed.start_us)
    after = p50_ms(disturbed.end_us + LEFT_AFTER_S * 1e6, window.end_us)
    return None if before is None or after is None else after - before


def _phases(evidence: Evidence) -> list[tuple[float, float | None, Span]]:
    """(capacity before, capacity, when) of each phase whose capacity differs from the one before.

    A capacity of None is without bound, as before the first phase; the last phase stays.
    """
    found: list[tuple[float, float | None, Span]] = []
    start_us = evidence.window.start_us
    before = float("inf")
    phases = evidence.schedule.phases
    for number, phase in enumerate(phases, 1):
        end_us = evidence.window.end_us
        if number < len(phases):
            end_us = min(end_us, start_us + round(phase.duration_s * 1e6))
        capacity = phase.knobs.capacity_kbps
        if end_us > start_us:
            found.append((before, capacity, Span(start_us, end_us)))
        before = float("inf") if capacity is None else capacity
        start_us = end_us
    return found


def _from(span: Span, patience_s: float) -> Span:
    patience_us = min(patience_s, PATIENCE_SHARE * span.seconds) * 1e6
    return Span(round(span.start_us + patience_us), span.end_us)


def _added_queue_ms(evidence: Evidence) -> float | None:
    worst = [
        _percentile([slot.queue_ms for slot in _slots(evidence, _from(span, DROP_PATIENCE_S))], 95)
        for before, capacity, span in _phases(evidence)
        if capacity is not None and capacity < before
    ]
    return max((ms for ms in worst if ms is not None), default=None)


def _capacity_used_percent(evidence: Evidence) -> float | None:
    used = []
    for _, capacity, span in _phases(evidence):
        if capacity and capacity <= evidence.bitrate_bps / 1000:  # that it could fill
            late = _from(span, FILL_PATIENCE_S)
            slots = _slots(evidence, late)
            kbps = sum(slot.delivered_bytes for slot in slots) * 8e6 / 1000 / SLOT_US
            used.append(100 * kbps / max(1, len(slots)) / capacity)
    return min(used, default=None)
