"""Which linear scale, 1 to 4, shows a stream best.

`choose_scale` guesses from the bits a pixel gets, before anything is coded. What the carrier makes
of the picture then says more: its QP tells what quantization costs, the picture's fine detail what
the next smaller size costs. Both are squared errors, and the first grows with 2^(QP / 3): they are
equal along QP = 3 log2(detail lost) + a constant, the border of two scales (docs/decisions.md).
"""

from __future__ import annotations

import math

from engines.detail import LostDetail
from engines.latent import SCALES

# bits per source pixel from which a smaller scale is the better guess
SCALE_LADDER = ((0.035, 1), (0.0045, 2), (0.0025, 3), (0.0, 4))
# scale -> QP from which the next one wins, plus what the detail that it loses is worth
COARSER_ABOVE_QP = {1: 23.5, 2: 28.4, 3: 31.0}
# a step is taken back below the QP that it leads to (about 7, 4 and 4 lower), likewise
FINER_BELOW_QP = {2: 14.5, 3: 22.4, 4: 25.5}
QP_PER_OCTAVE = 3.0  # of squared error
DETAIL_RANGE = (1.0, 150.0)  # squared 8-bit levels; beyond, the border stays (docs/decisions.md)


def choose_scale(width: int, height: int, fps: float, bitrate_bps: int) -> int:
    """The scale to begin with at a bitrate."""
    bits_per_pixel = bitrate_bps / (width * height * fps)
    return next(scale for least, scale in SCALE_LADDER if bits_per_pixel >= least)


def better_scale(scale: int, qp: float, lost: LostDetail) -> int:
    """The scale to go on with after a mean QP of `qp` at `scale`: a step at the most."""
    if scale < SCALES[-1] and qp > COARSER_ABOVE_QP[scale] + _worth(lost.at(scale + 1)):
        return scale + 1
    if scale > SCALES[0] and qp < FINER_BELOW_QP[scale] + _worth(lost.at(scale)):
        return scale - 1
    return scale


def _worth(detail: float) -> float:
    """The QP whose quantization costs as much."""
    return QP_PER_OCTAVE * math.log2(min(max(detail, DETAIL_RANGE[0]), DETAIL_RANGE[1]))
