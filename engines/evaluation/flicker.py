"""Flicker: how much the error moves from picture to picture, where the source does not.

    e(t) = test(t) - reference(t)        flicker(t) = RMS over luma of e(t) - e(t - 1)

A still error, such as blur, costs nothing; one that pulses with the key frames or crawls along
edges does. No optical flow is needed, because what the source itself moves is in both terms.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from engines.frame import Planes


def flicker(test: Sequence[Planes], reference: Sequence[Planes]) -> float | None:
    """Mean over the pictures after the first, in 8-bit levels, lower is better; None of one
    picture."""
    errors = (np.subtract(a.y, b.y, dtype=np.float32) for a, b in zip(test, reference, strict=True))
    moved = [
        float(np.sqrt(np.mean(np.square(after - before), dtype=np.float64)))
        for before, after in pairwise(errors)
    ]
    return float(np.mean(moved)) if moved else None
