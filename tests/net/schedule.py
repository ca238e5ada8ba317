"""What one direction of a link is like over time: phases, one after the other."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from tests.net.knobs import Knobs


@dataclass(frozen=True)
class Phase:
    """So long, the link is like this."""

    duration_s: float
    knobs: Knobs

    def __post_init__(self) -> None:
        if not self.duration_s > 0:
            raise ValueError(f"a phase of {self.duration_s} s")


@dataclass(frozen=True)
class Schedule:
    """The phases in order; the last one stays, unless they are repeated."""

    phases: tuple[Phase, ...]
    repeats: bool = False

    def __post_init__(self) -> None:
        if not self.phases:
            raise ValueError("a schedule without a phase")

    @classmethod
    def steady(cls, knobs: Knobs) -> Schedule:
        """Always the same."""
        return cls((Phase(1.0, knobs),))

    @cached_property
    def ends_us(self) -> tuple[int, ...]:
        """When each phase ends, us since the beginning."""
        return tuple(accumulate(round(phase.duration_s * 1e6) for phase in self.phases))

    @property
    def duration_s(self) -> float:
        """All phases, once."""
        return self.ends_us[-1] / 1e6

    def at(self, elapsed_us: float) -> tuple[Knobs, float | None]:
        """The knobs so long after the beginning, and until when they hold; None: for ever."""
        whole = self.ends_us[-1]
        base = 0.0
        if elapsed_us >= whole:
            if not self.repeats:
                return self.phases[-1].knobs, None
            base = elapsed_us // whole * whole
        index = min(bisect_right(self.ends_us, elapsed_us - base), len(self.phases) - 1)
        last = index == len(self.phases) - 1 and not self.repeats
        return self.phases[index].knobs, None if last else base + self.ends_us[index]


CLEAN = Schedule.steady(Knobs())
