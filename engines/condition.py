"""What the restorer is told: a latent's QP, scale and bits, and the fidelity, as one vector.

QP becomes weights on fixed knots (piecewise linear, so that any QP lies between two learned
levels); scale and bits are one-hot; fidelity is a number from 0, closest to the source, to 1, best
looking. One set of weights serves every rate and fidelity.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engines.codebook import BITS_MAX, BITS_MIN

QP_KNOTS = (12, 18, 22, 26, 30, 34, 38, 42, 46, 50)
CONDITION_SCALES = (1, 2, 3, 4)
CONDITION_SIZE = len(QP_KNOTS) + len(CONDITION_SCALES) + BITS_MAX - BITS_MIN + 1 + 1
FIDELITY_PLACE = CONDITION_SIZE - 1  # in the vector
FIDELITY = 0.5  # unless asked for another


def condition_vector(
    qp: float, scale: int, bits: int, fidelity: float = FIDELITY
) -> npt.NDArray[np.float32]:
    """(CONDITION_SIZE,) float32; a QP outside the knots counts as the nearest one."""
    vector = np.zeros(CONDITION_SIZE, np.float32)
    place = float(np.interp(qp, QP_KNOTS, np.arange(len(QP_KNOTS))))
    low = min(int(place), len(QP_KNOTS) - 2)
    vector[low], vector[low + 1] = low + 1 - place, place - low
    vector[len(QP_KNOTS) + CONDITION_SCALES.index(scale)] = 1
    vector[len(QP_KNOTS) + len(CONDITION_SCALES) + bits - BITS_MIN] = 1
    vector[FIDELITY_PLACE] = fidelity
    return vector
