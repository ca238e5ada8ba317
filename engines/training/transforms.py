"""Block transforms and quantization of the carrier's proxy, as HEVC has them.

A picture is cut into coding blocks; the transforms of every size are orthonormal DCTs, laid out as
block-diagonal matrices of a coding block's side, so that one matrix product does any of them.

    plane --blocks_of--> (N, K, B, B) --basis @ x @ basis.T--> coefficients / step --quantized-->
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
from torch import Tensor

SIZES = (4, 8, 16, 32)  # samples of luma, each side
BLOCK = 32  # samples of luma: side of a coding block
CHROMA_BLOCK = BLOCK // 2
CHROMA_SIZES = (4, 4, 8, 16)  # beside luma's SIZES: HEVC has no chroma transform below 4
# H.265 Table 8-10: the chroma QP of 4:2:0 for luma QPs 30 to 43; as it is below, less 6 above
_CHROMA_QPS = (29, 30, 31, 32, 33, 33, 34, 34, 35, 35, 36, 36, 37, 37)


def step_size(qp: Tensor) -> Tensor:
    """The quantization step of HEVC in units of an 8-bit sample."""
    return torch.exp2((qp - 4) / 6)


def squared_error_per_bit(qp: Tensor) -> Tensor:
    """HEVC's Lagrangian: how much squared error (8-bit levels) one bit may save."""
    return 0.57 * torch.exp2((qp - 12) / 3)


def chroma_qp(qp: Tensor) -> Tensor:
    """The QP of chroma for a luma QP; between two QPs it is interpolated."""
    table = np.concatenate([np.arange(30), _CHROMA_QPS, np.arange(44, 58) - 6])
    values = torch.as_tensor(table, dtype=qp.dtype, device=qp.device)
    low = qp.clamp(0, len(table) - 1.001).floor().long()
    return values[low] + (qp - low) * (values[low + 1] - values[low])


@cache
def dct_basis(size: int) -> Tensor:
    """Orthonormal DCT-II, (size, size), a basis function a row."""
    k = torch.arange(size, dtype=torch.float32)
    basis = torch.cos(math.pi * (2 * k[None] + 1) * k[:, None] / (2 * size))
    basis *= math.sqrt(2 / size)
    basis[0] /= math.sqrt(2)
    return basis


@cache
def block_basis(size: int, block: int) -> Tensor:
    """The transforms of `size` side by side in a block, (block, block), orthonormal as well."""
    return torch.kron(torch.eye(block // size), dct_basis(size))


def blocks_of(plane: Tensor, block: int) -> Tensor:
    """(..., H, W) to (..., K, block, block), row by row; sides are multiples of `block`."""
    *lead, height, width = plane.shape
    cut = plane.reshape(*lead, height // block, block, width // block, block).transpose(-3, -2)
    return cut.reshape(*lead, -1, block, block)


def plane_of(blocks: Tensor, height: int, width: int) -> Tensor:
    """The inverse of `blocks_of`."""
    *lead, _, block, _ = blocks.shape
    cut = blocks.reshape(*lead, height // block, width // block, block, block).transpose(-3, -2)
    return cut.reshape(*lead, height, width)


def pooled(values: Tensor, side: int) -> Tensor:
    """Sums over squares: (..., h, w) to (..., h / side, w / side)."""
    *lead, height, width = values.shape
    return values.reshape(*lead, height // side, side, width // side, side).sum((-3, -1))


def spread(values: Tensor, side: int) -> Tensor:
    """Each value as a square of `side`: (..., h, w) to (..., h * side, w * side)."""
    return values.repeat_interleave(side, -1).repeat_interleave(side, -2)


def dead_zone(levels: Tensor, rounding: Tensor | float) -> Tensor:
    """Coefficients over step to whole levels; `rounding` below one half makes a dead zone."""
    return levels.sign() * torch.floor(levels.abs() + rounding)


def quantized(levels: Tensor, rounding: Tensor | float) -> Tensor:
    """`dead_zone` with a straight-through gradient.

    A coefficient that no dither of one step lifts out of the dead zone has none: what is seen of
    it is the prediction, and the gradient goes there.
    """
    passed = levels * (levels.detach().abs() > 0.5 - rounding)
    return passed + (dead_zone(levels, rounding) - passed).detach()
