"""Pictures of even sides, which H.264 in 4:2:0 needs."""

from __future__ import annotations

import numpy as np

from engines.frame import Planes


def even(planes: Planes) -> Planes:
    """An odd picture repeats its last column or row."""
    odd = ((0, planes.height % 2), (0, planes.width % 2))
    if odd == ((0, 0), (0, 0)):
        return planes
    return Planes(np.pad(planes.y, odd, mode="edge"), planes.u, planes.v)
