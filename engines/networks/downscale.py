"""Patch-wise Gaussian downscale (DeNC++, "Patch-wise Feature Resolution Downscaling").

The plane is divided into patches that do not overlap; each shrinks to the Gaussian-weighted mean
around the centre of every pixel that stays. A ratio of 2 keeps one pixel of 2 x 2, with the blur
reaching over the patch's border (a 4 x 4 window); a ratio of 1.5 keeps 2 x 2 of 3 x 3.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

SIGMA_PER_RATIO = 0.5  # pixels of the large plane


def gaussian_downscale(plane: Tensor, scale: int) -> Tensor:
    """(N, 1, H, W) TinyAE plane (1/2 of the source) to total scale 2, 3 or 4.

    H and W must be divisible by 2 for scale 4 and by 3 for scale 3.
    """
    if scale == 2:
        return plane
    kernel, stride, padding = KERNELS[scale]
    padded = F.pad(plane, (padding,) * 4, mode="replicate")
    phases = F.conv2d(padded, kernel.to(plane), stride=stride)
    return F.pixel_shuffle(phases, math.isqrt(kernel.shape[0]))


def _kernels(scale: int) -> tuple[Tensor, int, int]:
    """One kernel per pixel that a patch keeps, the patch's side, and the padding."""
    ratio, patch, kept, padding = {4: (2.0, 2, 1, 1), 3: (1.5, 3, 2, 1)}[scale]
    taps = torch.arange(patch + 2 * padding) - padding
    rows = []
    for index in range(kept):
        centre = (index + 0.5) * ratio - 0.5
        weights = torch.exp(-((taps - centre) ** 2) / (2 * (SIGMA_PER_RATIO * ratio) ** 2))
        rows.append(weights / weights.sum())
    kernels = [torch.outer(row, column) for row in rows for column in rows]
    return torch.stack(kernels)[:, None], patch, padding


KERNELS = {scale: _kernels(scale) for scale in (3, 4)}  # constants of the exported graphs
