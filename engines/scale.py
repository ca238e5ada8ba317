"""Which linear scale, 1 to 4, shows a stream best.

`choose_scale` guesses from the bits a pixel gets, before anything is coded. How hard the picture is
only the carrier knows: its QP at one scale says whether the next one would look better
(`better_scale`). The borders are where the fast dev clips look equally good on both sides
(docs/decisions.md).
"""

from __future__ import annotations

# bits per source pixel from which a smaller scale is the better guess
SCALE_LADDER = ((0.035, 1), (0.0045, 2), (0.0025, 3), (0.0, 4))
COARSER_ABOVE_QP = {1: 42.0, 2: 43.0, 3: 44.5}  # scale -> QP from which the next one wins
# a step is taken back well below the QP that it leads to (about 9, 7 and 4 lower)
FINER_BELOW_QP = {2: 27.0, 3: 35.5, 4: 39.5}


def choose_scale(width: int, height: int, fps: float, bitrate_bps: int) -> int:
    """The scale to begin with at a bitrate."""
    bits_per_pixel = bitrate_bps / (width * height * fps)
    return next(scale for least, scale in SCALE_LADDER if bits_per_pixel >= least)


def better_scale(scale: int, qp: float) -> int:
    """The scale to go on with after a mean QP of `qp` at `scale`: a step at the most."""
    if qp > COARSER_ABOVE_QP.get(scale, float("inf")):
        return scale + 1
    if qp < FINER_BELOW_QP.get(scale, 0.0):
        return scale - 1
    return scale
