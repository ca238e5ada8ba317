"""The network lines of the reliability matrix. Round trip 100 ms unless the name says otherwise.

Sources: libwebrtc's `full_stack_tests.cc` (32-packet queue, feedback loss in bursts of 3), RFC 8867
(the steps of capacity), RFC 8868 (loss and delay), GRACE (heavy loss).
"""

from __future__ import annotations

from dataclasses import replace

from tests.net.goals import Goal, at_least, at_most
from tests.net.knobs import Knobs
from tests.net.scenario import Scenario
from tests.net.schedule import Phase, Schedule

SECONDS = 60.0
SECONDS_MIN = 5.0
LEAD_S = 4.0  # before a blackout
TAIL_S = 6.0  # after it, at least
ONE_WAY_MS = 50.0
OWN_MS = 150.0  # what the ends themselves may take, of the latency
BASE = Knobs(queue_delay_ms=ONE_WAY_MS)
DEEP_QUEUE_PACKETS = 200  # a router that does not drop early: what is queued there is added latency

# (percent, frames shown at least, freeze time at most)
RANDOM_LOSS = ((1, 99.0, 0.1), (5, 97.0, 1.0), (10, 93.0, 2.0), (20, 80.0, 5.0))
BURSTS = ((3, 500.0), (8, 800.0), (20, 1500.0))  # mean length, longest freeze in ms
BLACKOUTS = ((0.1, 1000.0), (0.5, 1000.0), (2.0, 1000.0), (5.0, 1000.0), (20.0, 2000.0))


def matrix(seconds: float = SECONDS) -> tuple[Scenario, ...]:
    """Every scenario, each of so many seconds, or of the fewest that show what it is for."""
    return (
        _steady("clean", "no loss, 100 ms", BASE, seconds, _CLEAN),
        *(_random_loss(*line, seconds) for line in RANDOM_LOSS),
        *(_heavy_loss(percent, seconds) for percent in (40, 60, 80)),
        *(_bursts(p, *line, seconds) for p in (5, 10) for line in BURSTS),
        *(_blackout(*line, seconds) for line in BLACKOUTS),
        *(_delay(ms, loss, seconds) for loss in (0, 5) for ms in (0, 50, 150, 300)),
        *(_jitter(ms, seconds) for ms in (5, 15, 30)),
        _spikes(seconds),
        *(_reordered(percent, seconds) for percent in (1, 5)),
        _steps("steps-1-2.5-0.6-1", (1000, 2500, 600, 1000), 2_500_000, seconds),
        _steps("steps-8-1-0.15", (8000, 1000, 150), 1_500_000, seconds),
        *(_short_queue(kbps, seconds) for kbps in (500, 1000, 2000)),
        _feedback_loss(seconds),
    )


_CLEAN = (
    at_most("undecodable", 0),
    at_most("freezes", 0),
    at_least("shown_percent", 99),
    at_most("self_made_loss_percent", 0),
)


def _steady(
    name: str, about: str, knobs: Knobs, seconds: float, goals: tuple[Goal, ...]
) -> Scenario:
    link = Schedule.steady(knobs)
    return Scenario(name, about, link, link, goals, seconds)


def _random_loss(percent: int, shown: float, frozen: float, seconds: float) -> Scenario:
    goals = (at_least("shown_percent", shown), at_most("freeze_percent", frozen))
    knobs = replace(BASE, loss_percent=percent)
    return _steady(f"loss-{percent}", f"{percent}% random loss", knobs, seconds, goals)


def _heavy_loss(percent: int, seconds: float) -> Scenario:
    lost_s = max(seconds - LEAD_S - TAIL_S, 4.0)
    link = Schedule(
        (
            Phase(LEAD_S, BASE),
            Phase(lost_s, replace(BASE, loss_percent=percent)),
            Phase(TAIL_S, BASE),
        )
    )
    return Scenario(
        f"heavy-{percent}",
        f"{percent}% loss for {lost_s:g} s",
        link,
        link,
        (at_most("sessions", 1), at_most("full_rate_ms", 2000)),
        link.duration_s,
        (LEAD_S, LEAD_S + lost_s),
    )


def _bursts(percent: int, length: int, longest_ms: float, seconds: float) -> Scenario:
    return _steady(
        f"burst-{length}-at-{percent}",
        f"{percent}% loss in bursts of {length} packets on average",
        replace(BASE, loss_percent=percent, avg_burst_loss=length),
        seconds,
        (at_most("longest_freeze_ms", longest_ms),),
    )


def _blackout(dark_s: float, recover_ms: float, seconds: float) -> Scenario:
    tail_s = max(seconds - LEAD_S - dark_s, TAIL_S)
    dark = Phase(dark_s, replace(BASE, blackout=True))
    link = Schedule((Phase(LEAD_S, BASE), dark, Phase(tail_s, BASE)))
    return Scenario(
        f"blackout-{dark_s:g}",
        f"nothing passes for {dark_s:g} s",
        link,
        link,
        (at_most("recover_ms", recover_ms), at_most("latency_left_ms", 50)),
        link.duration_s,
        (LEAD_S, LEAD_S + dark_s),
    )


def _delay(one_way_ms: int, loss: int, seconds: float) -> Scenario:
    return _steady(
        f"delay-{one_way_ms}" + (f"-loss-{loss}" if loss else ""),
        f"{one_way_ms} ms one way" + (f", {loss}% loss" if loss else ""),
        Knobs(queue_delay_ms=one_way_ms, loss_percent=loss),
        seconds,
        (
            at_most("connect_ms", 3000),
            at_most("latency_p95_ms", one_way_ms + 2 * 2 * one_way_ms + OWN_MS),
        ),
    )


def _jitter(stddev_ms: int, seconds: float) -> Scenario:
    p99_ms = 2.33 * stddev_ms
    return _steady(
        f"jitter-{stddev_ms}",
        f"jitter with a standard deviation of {stddev_ms} ms, which reorders",
        replace(BASE, delay_stddev_ms=stddev_ms, allow_reordering=True),
        seconds,
        (
            at_least("shown_percent", 99),
            at_most("latency_p95_ms", round(ONE_WAY_MS + 2 * p99_ms + OWN_MS)),
        ),
    )


def _spikes(seconds: float) -> Scenario:
    late = replace(BASE, queue_delay_ms=ONE_WAY_MS + 100)
    link = Schedule((Phase(4.9, BASE), Phase(0.1, late)), repeats=True)
    goals = (at_least("shown_percent", 99),)
    return Scenario("spikes", "100 ms more for 0.1 s, every 5 s", link, link, goals, seconds)


def _reordered(percent: int, seconds: float) -> Scenario:
    knobs = replace(
        BASE, reorder_percent=percent, reorder_delay_ms=150, duplicate_percent=1
    )  # 150 ms: about 20 packets of 1 Mbit/s
    about = f"{percent}% of the packets up to 150 ms late, 1% twice"
    goals = (at_most("undecodable", 0), at_least("shown_percent", 99))
    return _steady(f"reorder-{percent}", about, knobs, seconds, goals)


def _steps(name: str, kbps: tuple[int, ...], bitrate_bps: int, seconds: float) -> Scenario:
    each_s = seconds / len(kbps)
    phases = (
        Phase(each_s, replace(BASE, capacity_kbps=rate, queue_packets=DEEP_QUEUE_PACKETS))
        for rate in kbps
    )
    return Scenario(
        name,
        f"capacity {' -> '.join(f'{rate / 1000:g}' for rate in kbps)} Mbit/s",
        Schedule(tuple(phases)),
        Schedule.steady(BASE),
        (at_most("added_queue_ms", 300), at_least("capacity_used_percent", 70)),
        seconds,
        bitrate_bps=bitrate_bps,
    )


def _short_queue(kbps: int, seconds: float) -> Scenario:
    knobs = replace(BASE, capacity_kbps=kbps, queue_packets=32)
    return Scenario(
        f"queue-{kbps}",
        f"{kbps} kbit/s behind a queue of 32 packets",
        Schedule.steady(knobs),
        Schedule.steady(BASE),
        (at_most("self_made_loss_percent", 2),),
        seconds,
        bitrate_bps=2_500_000,
    )


def _feedback_loss(seconds: float) -> Scenario:
    lossy = replace(BASE, loss_percent=20, avg_burst_loss=3)
    return Scenario(
        "feedback-20",
        "20% loss in bursts of 3 on the way back alone",
        Schedule.steady(BASE),
        Schedule.steady(lossy),
        (at_least("rate_of_clean_percent", 70), at_most("rate_of_clean_percent", 130)),
        seconds,
    )
