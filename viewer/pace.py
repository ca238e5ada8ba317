"""How fast pictures are restored, against how fast they come."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """Medians over the last pictures, us; 0 until there are enough of them."""

    cost_us: float = 0.0  # of restoring one picture
    spacing_us: float = 0.0  # between the captures of two

    @property
    def is_known(self) -> bool:
        return self.cost_us > 0 and self.spacing_us > 0

    @property
    def load(self) -> float:
        """The part of the time between pictures that restoring takes; 0 while it is unknown."""
        return self.cost_us / self.spacing_us if self.is_known else 0.0
