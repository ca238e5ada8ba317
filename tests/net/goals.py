"""What a run has to reach, and whether it did."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from tests.net.measures import Measures

UNITS = {
    "shown_percent": "%",
    "freezes": "",
    "freeze_percent": "%",
    "longest_freeze_ms": "ms",
    "latency_p50_ms": "ms",
    "latency_p95_ms": "ms",
    "latency_left_ms": "ms",
    "rate_kbps": "kbit/s",
    "rate_of_clean_percent": "%",
    "capacity_used_percent": "%",
    "self_made_loss_percent": "%",
    "added_queue_ms": "ms",
    "connect_ms": "ms",
    "first_picture_ms": "ms",
    "recover_ms": "ms",
    "full_rate_ms": "ms",
    "sessions": "",
    "undecodable": "",
    "skipped_percent": "%",
}


class Bound(Enum):
    """Which side of the limit is good."""

    AT_MOST = "<="
    AT_LEAST = ">="


@dataclass(frozen=True)
class Goal:
    """One figure of `Measures` and its limit."""

    measure: str
    bound: Bound
    limit: float

    def __post_init__(self) -> None:
        if self.measure not in UNITS:
            raise ValueError(f"no measure is named {self.measure}")

    def __str__(self) -> str:
        return f"{words(self.measure)} {self.bound.value} {self.limit:g} {self.unit}".rstrip()

    @property
    def unit(self) -> str:
        return UNITS[self.measure]

    def met(self, measures: Measures) -> bool | None:
        """None where the run could not tell."""
        value: float | None = getattr(measures, self.measure)
        if value is None:
            return None
        return value <= self.limit if self.bound is Bound.AT_MOST else value >= self.limit


def at_most(measure: str, limit: float) -> Goal:
    """The figure may be so large."""
    return Goal(measure, Bound.AT_MOST, limit)


def at_least(measure: str, limit: float) -> Goal:
    """The figure has to be so large."""
    return Goal(measure, Bound.AT_LEAST, limit)


def words(measure: str) -> str:
    """The name of a figure for people, without its unit."""
    return (
        measure.removesuffix("_percent").removesuffix("_ms").removesuffix("_kbps").replace("_", " ")
    )
