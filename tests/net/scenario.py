"""One line of the matrix: a link, and what a stream over it has to reach."""

from __future__ import annotations

from dataclasses import dataclass

from tests.net.goals import Goal
from tests.net.schedule import Schedule

BITRATE_BPS = 1_000_000  # where aiortc begins by itself: both ends send as many packets


@dataclass(frozen=True)
class Scenario:
    """A link over time, both ways, and the goals. The window that is measured is `seconds`."""

    name: str
    about: str
    up: Schedule  # media
    down: Schedule  # feedback
    goals: tuple[Goal, ...]
    seconds: float
    disturbed_s: tuple[float, float] | None = None  # a blackout, or loss that is not to be borne
    bitrate_bps: int = BITRATE_BPS  # at most, of the encoder
