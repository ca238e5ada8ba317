"""What training asks for: close to the source, and looking like it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F
from pytorch_msssim import ssim
from torch import Tensor, nn

from engines.evaluation.perceptual import LpipsSq, rgb_from_yuv
from engines.networks.constant import Constant
from engines.networks.pipeline import PlaneTensors, unfolded_planes

CHARBONNIER_EPSILON = 1e-3
SQUARED_ERROR_FLOOR = 1e-6  # units of 0..1, squared: 60 dB of PSNR
LUMA_WEIGHT, CHROMA_WEIGHT = 0.8, 0.2
STRUCTURE_SCALES = (1, 2, 4)  # linear
PERCEPTUAL_SHIFTS = 8  # pixels: of the strides of the first taps together
STRUCTURE_FLOOR = 2e-3  # of 1 - SSIM: what nobody sees
SSIM_SIDE, SSIM_SIGMA = 11, 1.5  # of the Gaussian window


def _ssim_window() -> Tensor:
    """(1, 1, 1, SSIM_SIDE): along one line."""
    away = torch.arange(SSIM_SIDE) - SSIM_SIDE // 2
    window = torch.exp(-away.square() / (2 * SSIM_SIGMA**2))
    return (window / window.sum()).view(1, 1, 1, -1)


SSIM_WINDOW = Constant(_ssim_window())


def charbonnier(a: Tensor, b: Tensor) -> Tensor:
    """Smooth L1, per sample of the batch: (N,)."""
    return torch.sqrt((a - b).square() + CHARBONNIER_EPSILON**2).mean((1, 2, 3))


def distortion(restored: Tensor, source: Tensor) -> Tensor:
    """Charbonnier of folded planes, (N, 6, h, w) twice, luma and chroma weighted: (N,)."""
    luma = charbonnier(restored[:, :4], source[:, :4])
    return LUMA_WEIGHT * luma + CHROMA_WEIGHT * charbonnier(restored[:, 4:], source[:, 4:])


def relative_error(restored: Tensor, source: Tensor, plain: Tensor) -> Tensor:
    """PSNR of whole pictures as a loss, of crops of folded planes (N, 6, h, w): (N,).

    Half of the weighted squared error over `plain` (N,), the mean squared error of the whole
    picture's plain enlargement: to first order half the logarithm of the picture's error, so that
    0.01 is about 0.1 dB. Every picture counts alike, but a flat crop of a busy picture for little,
    as it does in the picture's PSNR.
    """
    error = (restored - source).square()
    luma, chroma = error[:, :4].mean((1, 2, 3)), error[:, 4:].mean((1, 2, 3))
    weighted = LUMA_WEIGHT * luma + CHROMA_WEIGHT * chroma
    return 0.5 * weighted / (LUMA_WEIGHT * plain + SQUARED_ERROR_FLOOR)


def structural_error(restored: Tensor, source: Tensor) -> Tensor:
    """Half the logarithm of 1 - SSIM of the luma (Wang et al. 2004), (N, 6, h, w) twice: (N,).

    Mean over STRUCTURE_SCALES; sides of 24 samples of h and w at least. Squared error alone asks
    for the mean of what may have been there, which has too little contrast; SSIM counts contrast.
    """
    a, b = (unfolded_planes(folded)[0].clamp(0, 1) for folded in (restored, source))
    similarity = torch.stack(
        [
            ssim(
                F.avg_pool2d(a, s),
                F.avg_pool2d(b, s),
                data_range=1.0,
                size_average=False,
                win=SSIM_WINDOW.beside(a),
            )
            for s in STRUCTURE_SCALES
        ]
    ).mean(0)
    return 0.5 * torch.log((1 - similarity).clamp(min=0) + STRUCTURE_FLOOR)


def looks(
    restored: Tensor,
    source: Tensor,
    fidelity: Tensor,
    structure_weight: float,
    perceptual_weight: float,
    perceptual: PerceptualLoss | None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """How folded pictures (N, 6, h, w) look beside the source, the more the higher the fidelity.

    The weighted loss (N,), and the means of its terms that were taken. A CPU takes them on a
    quarter of every picture: on a whole one, they cost more than `lite` does.
    """
    a, b = restored, source
    if restored.device.type == "cpu":
        a, b = _quarter(a), _quarter(b)
    loss, figures = torch.zeros_like(fidelity), {}
    if structure_weight:
        structure = structural_error(a, b)
        loss = loss + structure_weight * fidelity * structure
        figures["structure"] = structure.mean()
    if perceptual is not None:
        with autocast(restored.device):
            look = perceptual(a, b)
        loss = loss + perceptual_weight * fidelity.square() * look
        figures["lpips_sq"] = look.mean()
    return loss, figures


def autocast(device: torch.device) -> torch.autocast:
    """bf16 where the device computes in it: a CPU without such units is five times slower."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=_has_bf16(device.type))


@cache
def _has_bf16(device_type: str) -> bool:
    if device_type != "cpu":
        return True
    found = torch.cpu.get_capabilities()
    return any(found.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def _quarter(folded: Tensor) -> Tensor:
    return folded[:, :, : folded.shape[2] // 2, : folded.shape[3] // 2]


class PerceptualLoss(nn.Module):
    """LPIPS-sq between folded pictures, (N, 6, h, w) twice: (N,).

    Moved by a few pixels at random each time: the measure's strides have blind spots, and a
    network that always meets them in one place hides a grid in there.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.lpips = LpipsSq(folder)

    def forward(self, restored: Tensor, source: Tensor) -> Tensor:
        pictures = _rgb(unfolded_planes(torch.cat([restored, source])))
        shift = torch.randint(PERCEPTUAL_SHIFTS, (2, 1), device=pictures.device)
        for dim, by in zip((2, 3), shift, strict=True):
            kept = torch.arange(pictures.shape[dim] - PERCEPTUAL_SHIFTS + 1, device=by.device)
            pictures = pictures.index_select(dim, kept + by)
        a, b = pictures.chunk(2)
        out: Tensor = self.lpips(a, b)
        return out


def _rgb(planes: PlaneTensors) -> Tensor:
    return rgb_from_yuv(*planes)
