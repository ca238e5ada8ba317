"""The number of a frame, drawn into it: which picture comes out of a codec that counts none.

A row of 20 blocks at the top: 16 bits of Gray code, so that only one changes from frame to frame
and the code costs hardly any bits, then 4 bits that check them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Luma = npt.NDArray[np.uint8]

BLOCK = 16  # pixels
NUMBER_BITS, CHECK_BITS = 16, 4
WIDTH_MIN = BLOCK * (NUMBER_BITS + CHECK_BITS)
BLACK, WHITE = 16, 235  # limited range
_INNER = slice(BLOCK // 4, BLOCK - BLOCK // 4)


def draw(luma: Luma, number: int) -> None:
    """Into the upper rows of a luma plane (H, W), W >= 320, in place."""
    if luma.shape[1] < WIDTH_MIN or luma.shape[0] < BLOCK:
        raise ValueError(f"a picture of {luma.shape[1]}x{luma.shape[0]} has no room for the code")
    number %= 1 << NUMBER_BITS
    gray = number ^ number >> 1
    code = gray << CHECK_BITS | _check(gray)
    for index in range(NUMBER_BITS + CHECK_BITS):
        bit = code >> (NUMBER_BITS + CHECK_BITS - 1 - index) & 1
        luma[:BLOCK, index * BLOCK : (index + 1) * BLOCK] = WHITE if bit else BLACK


def read(luma: Luma) -> int | None:
    """The number modulo 65536; None when the code is damaged."""
    code = 0
    for index in range(NUMBER_BITS + CHECK_BITS):
        block = luma[:BLOCK, index * BLOCK : (index + 1) * BLOCK]
        code = code << 1 | int(block[_INNER, _INNER].mean() > (BLACK + WHITE) / 2)
    gray = code >> CHECK_BITS
    if _check(gray) != code & (1 << CHECK_BITS) - 1:
        return None
    number = gray
    for shift in (1, 2, 4, 8):
        number ^= number >> shift
    return number


def _check(gray: int) -> int:
    """Exclusive or of the four nibbles, inverted: a black picture has no valid code."""
    return (gray ^ gray >> 4 ^ gray >> 8 ^ gray >> 12) & 15 ^ 15
