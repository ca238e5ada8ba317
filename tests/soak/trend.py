"""Does it grow? A straight line through samples, with what is known of its slope."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SIGMAS = 2.0  # either way: 95%
CORRELATION_MAX = 0.99


@dataclass(frozen=True)
class Trend:
    """Per unit of the abscissa."""

    slope: float
    uncertainty: float  # either way, 95%

    def per(self, units: float) -> Trend:
        """Over so many units."""
        return Trend(self.slope * units, self.uncertainty * units)

    def __str__(self) -> str:
        return f"{self.slope:+.2f} ± {self.uncertainty:.2f}"


def trend(at: Sequence[float], values: Sequence[float]) -> Trend:
    """Least squares. Samples that follow each other are alike, which makes them count for less:
    for (1 - r) / (1 + r) of their number, where r is how the residuals' neighbours correlate.
    """
    if len(at) < 4 or len(set(at)) < 3:
        return Trend(0.0, float("inf"))
    x, y = np.asarray(at, float), np.asarray(values, float)
    x = x - x.mean()
    slope = float(x @ y / (x @ x))
    rest = y - y.mean() - slope * x
    power = float(rest @ rest)
    r = float(rest[1:] @ rest[:-1]) / power if power > 0 else 0.0
    r = min(max(r, 0.0), CORRELATION_MAX)
    free = max(1.0, (len(x) - 2) * (1 - r) / (1 + r))
    return Trend(slope, SIGMAS * float(np.sqrt(power / free / (x @ x))))


def rise(values: Sequence[float]) -> float:
    """Of a count that is to stay flat: median of the last quarter less that of the first."""
    quarter = max(1, len(values) // 4)
    return float(np.median(values[-quarter:]) - np.median(values[:quarter]))
