"""Bjontegaard deltas (VCEG-M33) with the piecewise cubic of the JCT-VC common test conditions.

A curve runs through its measured points as a monotone piecewise cubic (PCHIP; Fritsch and Butland
1984, as in the JCT-VC sheet) of log rate over quality, and BD-rate is the mean distance of two such
curves over the qualities that both reach. Quality always rises with what is better here: negate a
distance first.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

POINTS_MIN = 2  # of a curve
HULL_STEPS = 8  # between two points of a curve, in quality


class Curve:
    """Rate (any unit, > 0) and quality of one method, in any order.

    A point that costs no less than another and is not better is left out, so that the curve rises.
    """

    def __init__(self, rates: Sequence[float], qualities: Sequence[float]) -> None:
        kept: list[tuple[float, float]] = []
        for rate, quality in sorted(
            zip(rates, qualities, strict=True), key=lambda point: (point[0], -point[1])
        ):
            if rate <= 0:
                raise ValueError(f"a rate must be positive, not {rate}")
            if not kept or quality > kept[-1][1]:
                kept.append((rate, quality))
        if len(kept) < POINTS_MIN:
            raise ValueError(f"a curve needs {POINTS_MIN} rising points, not {len(kept)}")
        self.rates = np.array([rate for rate, _ in kept])
        self.qualities = np.array([quality for _, quality in kept])

    def rate_at(self, quality: float) -> float | None:
        """The rate that reaches `quality`; None outside the measured points."""
        if not self.qualities[0] <= quality <= self.qualities[-1]:
            return None
        return float(np.exp(_Pchip(self.qualities, np.log(self.rates)).at(quality)))

    def quality_at(self, rate: float) -> float | None:
        """The quality at `rate`; None outside the measured points."""
        if not self.rates[0] <= rate <= self.rates[-1]:
            return None
        return _Pchip(np.log(self.rates), self.qualities).at(float(np.log(rate)))


def upper_hull(curves: Sequence[Curve]) -> Curve:
    """For each quality the least rate at which any of the curves has it: who may choose a method
    anew at each rate. Raises ValueError where there is no curve.

    The points of all together would not do: between two good points of one method a worse one of
    another pulls the curve down.
    """
    steps = np.arange(HULL_STEPS) / HULL_STEPS
    qualities = [
        float(quality)
        for curve in curves
        for low, high in pairwise(curve.qualities)
        for quality in low + (high - low) * steps
    ]
    qualities += [float(curve.qualities[-1]) for curve in curves]
    reached = [
        [rate for curve in curves if (rate := curve.rate_at(quality)) is not None]
        for quality in qualities
    ]
    return Curve([min(rates) for rates in reached], qualities)


def bd_rate(anchor: Curve, test: Curve) -> float | None:
    """Mean rate of `test` against `anchor` at equal quality, percent; negative saves bits.

    None where the curves share no quality.
    """
    low = max(anchor.qualities[0], test.qualities[0])
    high = min(anchor.qualities[-1], test.qualities[-1])
    if low >= high:
        return None
    delta = _Pchip(test.qualities, np.log(test.rates)).integral(low, high)
    delta -= _Pchip(anchor.qualities, np.log(anchor.rates)).integral(low, high)
    return float(np.expm1(delta / (high - low)) * 100)


def bd_quality(anchor: Curve, test: Curve) -> float | None:
    """Mean quality of `test` over `anchor` at equal rate, in its unit; None: no overlap."""
    low = float(np.log(max(anchor.rates[0], test.rates[0])))
    high = float(np.log(min(anchor.rates[-1], test.rates[-1])))
    if low >= high:
        return None
    delta = _Pchip(np.log(test.rates), test.qualities).integral(low, high)
    delta -= _Pchip(np.log(anchor.rates), anchor.qualities).integral(low, high)
    return delta / (high - low)


class _Pchip:
    """Monotone piecewise cubic Hermite interpolation through (x, y), x strictly rising."""

    def __init__(self, x: Array, y: Array) -> None:
        self.x, self.y = x, y
        self.slopes = _pchip_slopes(x, y)

    def at(self, x: float) -> float:
        piece = min(int(np.searchsorted(self.x, x, side="right")) - 1, len(self.x) - 2)
        return float(np.polyval(self._polynomial(piece), x - self.x[piece]))

    def integral(self, low: float, high: float) -> float:
        total = 0.0
        for piece in range(len(self.x) - 1):
            start, end = max(low, self.x[piece]), min(high, self.x[piece + 1])
            if start < end:
                area = np.polyint(self._polynomial(piece))
                total += float(
                    np.polyval(area, end - self.x[piece]) - np.polyval(area, start - self.x[piece])
                )
        return total

    def _polynomial(self, piece: int) -> Array:
        """Coefficients in (x - x[piece]), highest power first."""
        width = self.x[piece + 1] - self.x[piece]
        rise = (self.y[piece + 1] - self.y[piece]) / width
        left, right = self.slopes[piece], self.slopes[piece + 1]
        return np.array(
            [
                (left + right - 2 * rise) / width**2,
                (3 * rise - 2 * left - right) / width,
                left,
                self.y[piece],
            ]
        )


def _pchip_slopes(x: Array, y: Array) -> Array:
    """Slopes at the points: a weighted harmonic mean inside, three-point formulas at the ends."""
    width, rise = np.diff(x), np.diff(y) / np.diff(x)
    if len(x) == 2:
        return np.array([rise[0], rise[0]])
    slopes = np.zeros_like(y)
    before, after = 2 * width[1:] + width[:-1], width[1:] + 2 * width[:-1]
    same_way = rise[:-1] * rise[1:] > 0
    slopes[1:-1][same_way] = ((before + after)[same_way]) / (
        before[same_way] / rise[:-1][same_way] + after[same_way] / rise[1:][same_way]
    )
    slopes[0] = _end_slope(width[0], width[1], rise[0], rise[1])
    slopes[-1] = _end_slope(width[-1], width[-2], rise[-1], rise[-2])
    return slopes


def _end_slope(near: float, far: float, rise: float, next_rise: float) -> float:
    slope = ((2 * near + far) * rise - near * next_rise) / (near + far)
    if slope * rise <= 0:
        return 0.0
    if rise * next_rise <= 0 and abs(slope) > 3 * abs(rise):
        return 3 * rise
    return slope
