"""A differentiable stand-in for the carrier: what a block transform codec does to a plane.

The sandwiched-compression recipe (google/sandwiched_compression): orthonormal DCT blocks, a uniform
step with a dead zone, straight-through rounding; the rate is the sum of log2(1 + |c / step|).
It knows no prediction, so its rate is the rate of a picture without a past.
"""

from __future__ import annotations

import math
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

BLOCK = 8  # samples
ROUNDING = 1 / 3  # HEVC's intra rounding offset: below one half is a dead zone


def step_size(qp: Tensor) -> Tensor:
    """The quantization step of HEVC in units of an 8-bit sample."""
    return torch.exp2((qp - 4) / 6)


def carry(plane: Tensor, qp: Tensor) -> tuple[Tensor, Tensor]:
    """(N, 1, H, W) samples 0..255 and QPs (N,) to the decoded samples and bits per sample (N,)."""
    n, _, height, width = plane.shape
    padded = F.pad(plane, (0, -width % BLOCK, 0, -height % BLOCK), mode="replicate")
    rows, columns = padded.shape[2] // BLOCK, padded.shape[3] // BLOCK
    blocks = padded.reshape(n, rows, BLOCK, columns, BLOCK).permute(0, 1, 3, 2, 4)
    basis = _dct_basis().to(plane)
    step = step_size(qp).view(n, 1, 1, 1, 1)
    levels = basis @ (blocks - 128) @ basis.T / step
    rounded = levels.sign() * torch.floor(levels.abs() + ROUNDING)
    quantized = levels + (rounded - levels).detach()
    bits = torch.log2(1 + levels.abs()).mean((1, 2, 3, 4))
    decoded = basis.T @ (quantized * step) @ basis + 128
    decoded = decoded.permute(0, 1, 3, 2, 4).reshape(n, 1, *padded.shape[2:])
    return decoded[:, :, :height, :width], bits


def round_to_levels(plane: Tensor, bits: int) -> Tensor:
    """Uniform bitwidth quantization to 2^bits values of 0..255, straight through."""
    top = (1 << bits) - 1
    clipped = plane.clamp(0, 255)
    rounded = torch.round(clipped * top / 255) * 255 / top
    return clipped + (rounded - clipped).detach()


@cache
def _dct_basis() -> Tensor:
    """Orthonormal DCT-II, (BLOCK, BLOCK)."""
    k = torch.arange(BLOCK, dtype=torch.float32)
    basis = torch.cos(math.pi * (2 * k[None] + 1) * k[:, None] / (2 * BLOCK))
    basis *= math.sqrt(2 / BLOCK)
    basis[0] /= math.sqrt(2)
    return basis
