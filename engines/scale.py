"""Which linear scale, 1 to 4, shows a stream best.

`choose_scale` guesses from the bits a pixel gets, before anything is coded. What the carrier makes
of the picture then says more: its QP tells what quantization costs, the picture's finest detail
what halving costs. Both are squared errors, and the first grows with 2^(QP / 3): they are equal
along QP = 3 log2(detail) + a constant, the border between scales 1 and 2. Between the coarser
scales no such law was seen; their borders are QPs (docs/decisions.md).
"""

from __future__ import annotations

import math

# bits per source pixel from which a smaller scale is the better guess
SCALE_LADDER = ((0.035, 1), (0.0045, 2), (0.0025, 3), (0.0, 4))
# scale -> QP from which the next one wins; that of scale 1 plus what the detail is worth
COARSER_ABOVE_QP = {1: 23.5, 2: 46.5, 3: 47.5}
# a step is taken back below the QP that it leads to (about 7, 4 and 4 lower); that of scale 2
# plus what the detail is worth
FINER_BELOW_QP = {2: 14.5, 3: 40.5, 4: 42.0}
QP_PER_OCTAVE = 3.0  # of squared error
DETAIL_RANGE = (1.0, 100.0)  # squared 8-bit levels; beyond, the border stays (docs/decisions.md)


def choose_scale(width: int, height: int, fps: float, bitrate_bps: int) -> int:
    """The scale to begin with at a bitrate."""
    bits_per_pixel = bitrate_bps / (width * height * fps)
    return next(scale for least, scale in SCALE_LADDER if bits_per_pixel >= least)


def better_scale(scale: int, qp: float, detail: float) -> int:
    """The scale to go on with after a mean QP of `qp` at `scale`: a step at the most.

    `detail` is the picture's, from `engines.detail.finest_detail`.
    """
    worth = QP_PER_OCTAVE * math.log2(min(max(detail, DETAIL_RANGE[0]), DETAIL_RANGE[1]))
    if qp > COARSER_ABOVE_QP.get(scale, math.inf) + (worth if scale == 1 else 0):
        return scale + 1
    if qp < FINER_BELOW_QP.get(scale, -math.inf) + (worth if scale == 2 else 0):
        return scale - 1
    return scale
