"""How much fine detail a picture has: what is lost when it is halved, or made smaller still.

A picture of half the size carries the means of 2 x 2 samples, one of a third those of 3 x 3. What
varies within them is the squared error that it cannot avoid (but for what enlargement guesses
right), whatever its bits.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from engines.frame import Plane

BAND = 36  # rows; whole blocks of every scale
BANDS_MAX = 12  # looked at, spread over the picture: a sample is enough


class LostDetail(NamedTuple):
    """Squared 8-bit levels lost on the way to each scale, beyond those of the one before."""

    to_half: float
    to_third: float
    to_quarter: float

    def at(self, coarser: int) -> float:
        """By the step to scale 2, 3 or 4."""
        return self[coarser - 2]


def lost_detail(luma: Plane) -> LostDetail:
    """Of a luma plane (H, W), from a sample of its rows; H and W at least 4."""
    starts = range(0, max(1, len(luma) - BAND + 1), BAND)
    step = -(-len(starts) // BANDS_MAX)
    bands = [luma[start : start + BAND] for start in starts[::step]]
    sample = np.stack(bands).astype(np.float32)
    lost = [_within(sample, side) for side in (2, 3, 4)]
    return LostDetail(lost[0], max(lost[1] - lost[0], 0.0), max(lost[2] - lost[1], 0.0))


def _within(bands: np.ndarray[tuple[int, ...], np.dtype[np.float32]], side: int) -> float:
    """Mean squared difference from the means of side x side samples."""
    count, height, width = bands.shape
    rows, columns = height // side, width // side
    blocks = bands[:, : rows * side, : columns * side]
    blocks = blocks.reshape(count, rows, side, columns, side)
    return float(blocks.var(axis=(2, 4)).mean())
