"""How much fine detail a picture has: what is lost when it is halved.

A picture of half the size carries the means of 2 x 2 samples. What varies within them is the
squared error that it cannot avoid (but for what enlargement guesses right), whatever its bits.
"""

from __future__ import annotations

import numpy as np

from engines.frame import Plane

BAND = 32  # rows
BANDS_MAX = 12  # looked at, spread over the picture: a sample is enough


def finest_detail(luma: Plane) -> float:
    """Mean squared difference from 2 x 2 means, in 8-bit levels, of a luma plane (H, W).

    From a sample of its rows; H and W at least 2.
    """
    height, width = luma.shape[0] // 2 * 2, luma.shape[1] // 2 * 2
    starts = range(0, height, BAND)
    step = -(-len(starts) // BANDS_MAX)
    error = count = 0.0
    for start in starts[::step]:
        band = luma[start : min(start + BAND, height), :width].astype(np.float32)
        blocks = band.reshape(band.shape[0] // 2, 2, width // 2, 2)
        error += float(np.square(blocks - blocks.mean((1, 3), keepdims=True)).sum())
        count += band.size
    return error / count
