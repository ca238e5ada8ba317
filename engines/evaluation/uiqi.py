"""UIQI, the universal image quality index (Wang and Bovik 2002, IEEE Signal Processing Letters 9).

    Q = 4 cov(x, y) mean(x) mean(y) / ((var x + var y) (mean(x)^2 + mean(y)^2))

in a window of 8x8 that slides over the plane pixel by pixel; the index is the mean over all places.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engines.frame import Plane

WINDOW = 8  # pixels a side

Sums = npt.NDArray[np.int64]


def uiqi(test: Plane, reference: Plane) -> float:
    """Of two 8-bit planes of one shape, each side at least WINDOW; -1..1, 1 is equal.

    As in the authors' own program, a window that is flat in both planes counts for its means alone,
    and 1 where it is black in both. Sums are of whole numbers, so that flat is exactly flat.
    """
    x, y = test.astype(np.int64), reference.astype(np.int64)
    pixels = WINDOW * WINDOW
    sum_x, sum_y = _box_sums(x), _box_sums(y)
    product, squares = sum_x * sum_y, sum_x * sum_x + sum_y * sum_y
    covariance = pixels * _box_sums(x * y) - product  # each times pixels^2
    variances = pixels * _box_sums(x * x + y * y) - squares
    index = np.ones(product.shape)
    flat, textured = (variances == 0) & (squares > 0), variances * squares > 0
    index[flat] = 2 * product[flat] / squares[flat]
    index[textured] = (
        4.0 * covariance[textured] * product[textured] / (1.0 * variances * squares)[textured]
    )
    return float(index.mean())


def _box_sums(values: Sums) -> Sums:
    """Of every whole window."""
    total = np.pad(values.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    return (  # type: ignore[no-any-return]
        total[WINDOW:, WINDOW:]
        - total[:-WINDOW, WINDOW:]
        - total[WINDOW:, :-WINDOW]
        + total[:-WINDOW, :-WINDOW]
    )
