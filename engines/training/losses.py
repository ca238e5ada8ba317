"""What training asks for: close to the source, and looking like it."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from engines.evaluation.perceptual import LpipsSq, rgb_from_yuv
from engines.networks.pipeline import PlaneTensors, unfolded_planes

CHARBONNIER_EPSILON = 1e-3
SQUARED_ERROR_FLOOR = 1e-6
LUMA_WEIGHT, CHROMA_WEIGHT = 0.8, 0.2


def charbonnier(a: Tensor, b: Tensor) -> Tensor:
    """Smooth L1, per sample of the batch: (N,)."""
    return torch.sqrt((a - b).square() + CHARBONNIER_EPSILON**2).mean((1, 2, 3))


def distortion(restored: Tensor, source: Tensor) -> Tensor:
    """Charbonnier of folded planes, (N, 6, h, w) twice, luma and chroma weighted: (N,)."""
    luma = charbonnier(restored[:, :4], source[:, :4])
    return LUMA_WEIGHT * luma + CHROMA_WEIGHT * charbonnier(restored[:, 4:], source[:, 4:])


def log_error(restored: Tensor, source: Tensor) -> Tensor:
    """PSNR as a loss, of folded planes: half the logarithm of the weighted squared error, (N,).

    Every crop counts by its relative error, flat ones as much as busy ones; 0.1 is 0.87 dB.
    """
    error = (restored - source).square()
    luma, chroma = error[:, :4].mean((1, 2, 3)), error[:, 4:].mean((1, 2, 3))
    return 0.5 * torch.log(LUMA_WEIGHT * luma + CHROMA_WEIGHT * chroma + SQUARED_ERROR_FLOOR)


class PerceptualLoss(nn.Module):
    """LPIPS-sq between folded pictures, (N, 6, h, w) twice: (N,)."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.lpips = LpipsSq(folder)

    def forward(self, restored: Tensor, source: Tensor) -> Tensor:
        out: Tensor = self.lpips(_rgb(unfolded_planes(restored)), _rgb(unfolded_planes(source)))
        return out


def _rgb(planes: PlaneTensors) -> Tensor:
    return rgb_from_yuv(*planes)
