"""How much fine detail a picture has: what is lost when it is halved.

A picture of half the size carries the means of 2 x 2 samples. What varies within them is the
squared error that it cannot avoid (but for what enlargement guesses right), whatever its bits.
"""

from __future__ import annotations

import numpy as np

from engines.frame import Plane

BAND = 32  # rows; whole blocks
BANDS_MAX = 12  # looked at, spread over the picture: a sample is enough


def finest_detail(luma: Plane) -> float:
    """Mean squared difference from 2 x 2 means, in 8-bit levels, of a luma plane (H, W).

    From a sample of its rows; H and W at least 2.
    """
    whole = luma[: luma.shape[0] // 2 * 2, : luma.shape[1] // 2 * 2]
    starts = range(0, len(whole), BAND)
    step = -(-len(starts) // BANDS_MAX)
    bands = [whole[start : start + BAND] for start in starts[::step]]
    sample = np.concatenate(bands).astype(np.float32)
    blocks = sample.reshape(-1, 2, sample.shape[1] // 2, 2)
    return float(blocks.var(axis=(1, 3)).mean())
