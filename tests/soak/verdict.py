"""Goals beside results."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tests.net.ends import Reconnect
from tests.soak.sample import Sample
from tests.soak.trend import Trend, rise, trend

MEMORY_MIB_PER_HOUR = 1.0
MEMORY_MIB_PER_100 = 1.0  # reconnects: "no growth", less what is within the noise
NOTICED_S, PICTURE_S = 3.0, 2.0
HOUR_S = 3600.0
COUNTS = ("files", "threads", "tasks")
MET, MISSED, OPEN = "met", "**not met**", "the run is too short to tell"


@dataclass(frozen=True)
class Line:
    """One goal."""

    what: str
    goal: str
    result: str
    verdict: str


def of_growth(
    samples: Mapping[str, Sequence[Sample]], warm_up: float, unit: float, limit: float, name: str
) -> list[Line]:
    """Memory and counts of each end, from `warm_up` on; memory is told per `unit`."""
    lines = []
    for end, every in samples.items():
        warm = [sample for sample in every if sample.at >= warm_up]
        memory = trend([s.at for s in warm], [s.memory_mib for s in warm]).per(unit)
        lines.append(of_trend(f"memory of the {end}", memory, limit, f"MiB {name}"))
        for count in COUNTS:
            values = [getattr(sample, count) for sample in warm]
            grown = rise(values) if values else math.inf
            result = f"{grown:+g} ({min(values):g} to {max(values):g})" if values else "-"
            lines.append(
                Line(f"{count} of the {end}", "no growth", result, MET if grown < 1 else MISSED)
            )
    return lines


def of_trend(what: str, found: Trend, limit: float, unit: str) -> Line:
    """Whether it may grow by more than the limit; open where that is within what is not known."""
    low, high = found.slope - found.uncertainty, found.slope + found.uncertainty
    verdict = MET if high <= limit else MISSED if low > limit else OPEN
    return Line(what, f"<= {limit:g} {unit}", f"{found} {unit}", verdict)


def of_reconnects(reconnects: Sequence[Reconnect]) -> list[Line]:
    """By kind: how soon a loss is noticed, and how soon the picture is back."""
    lines = []
    for kind in dict.fromkeys(reconnect.kind for reconnect in reconnects):
        ours = [reconnect for reconnect in reconnects if reconnect.kind == kind]
        noticed = [reconnect.noticed_s for reconnect in ours]
        picture = [reconnect.picture_s for reconnect in ours]
        what = f"{len(ours)} times {'the link' if kind == 'dark' else kind} gone"
        lines += [
            Line(f"{what}: noticed", f"<= {NOTICED_S:g} s", _seconds(noticed), _at_most(
                max(noticed), NOTICED_S)),
            Line(f"{what}: picture, p95", f"<= {PICTURE_S:g} s", _seconds(picture), _at_most(
                percentile(picture, 95), PICTURE_S)),
        ]  # fmt: skip
    return lines


def percentile(values: Sequence[float], percent: float) -> float:
    """Of values that may be infinite: the nearest rank."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def _at_most(value: float, limit: float) -> str:
    return MET if value <= limit else MISSED


def _seconds(values: Sequence[float]) -> str:
    p50, p95 = float(np.median(values)), percentile(values, 95)
    return f"p50 {p50:.2f}, p95 {p95:.2f}, max {max(values):.2f} s"
