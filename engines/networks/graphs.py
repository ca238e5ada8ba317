"""The two halves with the inputs and outputs of the exported graphs, one per scale."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engines.networks.guidance import LUMA_PHASES
from engines.networks.pipeline import (
    PlaneTensors,
    StreamerHalf,
    ViewerHalf,
    downscaled,
    unfolded_planes,
)

STREAMER_INPUTS = ("y", "u", "v")  # uint8, padded source
VIEWER_INPUTS = ("y", "u", "v", "condition", "guide")  # float32 0..255; engines.condition, .guide
FIT_INPUTS = ("y", "u", "v", "condition", "source_y")  # tiles; the last uint8
OUTPUTS = ("out_y", "out_u", "out_v")
FIT_OUTPUTS = ("normal", "wanted")
FIT_CONTRAST = 0.6  # of what least squares lose: asked for on top
FIT_CONTRAST_MAX = 0.08  # of the source's
FIT_FLOOR = 1e-6  # of squared levels, 0..1
FIT_AROUND = 9  # pixels a side
FIT_MARGIN = 8  # samples on 1/2 of the source, where a tile's border is seen


class StreamerGraph(nn.Module):
    """Padded uint8 source planes to float latent planes, 0..255.

    Only what the network's weights, as they are now, do not multiply by zero.
    """

    def __init__(self, network: StreamerHalf, scale: int) -> None:
        super().__init__()
        self.network, self.scale = network, scale
        self._reduction = network.encoder.reduction()

    def forward(self, y: Tensor, u: Tensor, v: Tensor) -> PlaneTensors:
        if self._reduction is None:
            whole: PlaneTensors = self.network(y, u, v, self.scale)
            return whole
        chroma_u, chroma_v = F.avg_pool2d(u.float(), 2), F.avg_pool2d(v.float(), 2)
        return downscaled((self._reduction(y.float()), chroma_u, chroma_v), self.scale)


class ViewerGraph(nn.Module):
    """Float latent planes, condition and guide to uint8 source planes, still padded."""

    def __init__(self, network: ViewerHalf, scale: int) -> None:
        super().__init__()
        self.network, self.scale = network, scale

    def forward(
        self, y: Tensor, u: Tensor, v: Tensor, condition: Tensor, guide: Tensor
    ) -> PlaneTensors:
        restored = self.network(y, u, v, condition, self.scale, guide)
        whole = torch.floor(torch.clamp(restored * 255 + 0.5, 0, 255)).to(torch.uint8)
        return unfolded_planes(whole)


def raised(luma: Tensor, restored: Tensor) -> Tensor:
    """What a fit aims at: a luma (N, 1, H, W), folded (N, 4, h, w), with a little more contrast.

    The mean of all that may have been there, which least squares find, has as much less variance
    as it has error. A part of that is asked for on top.
    """
    around = F.avg_pool2d(luma, FIT_AROUND, 1, FIT_AROUND // 2, count_include_pad=False)
    source, detail = (F.pixel_unshuffle(plane, 2) for plane in (luma, luma - around))
    error = (source - restored).square().mean()
    lost = error / (2 * detail.square().mean() + FIT_FLOOR)  # of the contrast, to first order
    return source + torch.clamp(FIT_CONTRAST * lost, max=FIT_CONTRAST_MAX) * detail


class FitGraph(nn.Module):
    """Tiles as a viewer gets them, and of the source, to the sums of a guide's least squares."""

    def __init__(self, network: ViewerHalf, scale: int) -> None:
        super().__init__()
        self.network, self.scale = network, scale

    def forward(
        self, y: Tensor, u: Tensor, v: Tensor, condition: Tensor, source_y: Tensor
    ) -> tuple[Tensor, Tensor]:
        restored, features = self.network.unguided(y, u, v, condition, self.scale)
        luma = restored[:, :LUMA_PHASES]
        error = raised(source_y.float() / 255, luma) - luma
        inner = slice(FIT_MARGIN, -FIT_MARGIN)
        normal, wanted = self.network.guidance.equations(
            features[:, :, inner, inner], error[:, :, inner, inner]
        )
        return normal.sum(0), wanted.sum(0)
