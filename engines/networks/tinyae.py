"""TinyAE (DeNC++, Figure 4): dilated convolutions on a grid of 1/4 of the source.

Encoder:  source 4:2:0 -> (N, 24, H/4, W/4) -> dilated blocks -> (N, 6, H/4, W/4) latent
                    \\__________ 2 x 2 mean ______________________+
Decoder:  latent + features of the restorer -> dilated blocks -> (N, 24, H/4, W/4) -> source 4:2:0
                \\__________ enlargement x 2 ___________________________________+

Both end in a layer that starts at zero: an untrained TinyAE sends a plain small picture and shows
its bicubic enlargement. The enlargement's own weights, one set a scale, are trained as well. The
decoder takes, beside the latent's three planes, the restorer's feature maps (DiffVC-RT section 3,
"Latent Channel Expansion").
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SOURCE_CHANNELS = 24  # 16 luma + 4 + 4 chroma on the 1/4 grid
LATENT_CHANNELS = 6  # 4 luma + 1 + 1 chroma on the 1/4 grid
LATENT_SCALES = (2, 3, 4)  # of the carried latent
DETAIL_GAIN = 8.0
RESIDUAL_GAIN = 0.25  # residuals are small: a smaller step keeps training's noise out of flat areas


class DilatedBlock(nn.Module):
    """x + conv(ReLU(x)), 3 x 3 with a dilation."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.conv(F.relu(x))
        return out


def zero_initialised(conv: nn.Conv2d) -> nn.Conv2d:
    """The layer, starting as zero."""
    nn.init.zeros_(conv.weight)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv


class TinyAEEncoder(nn.Module):
    """(N, 24, h, w) source on the 1/4 grid to (N, 6, h, w) latent at 1/2, both 0..1."""

    def __init__(self, channels: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.stem = nn.Conv2d(SOURCE_CHANNELS, channels, 3, padding=1)
        self.blocks = nn.Sequential(*(DilatedBlock(channels, d) for d in dilations))
        self.head = zero_initialised(nn.Conv2d(channels, LATENT_CHANNELS, 3, padding=1))

    def forward(self, source: Tensor) -> Tensor:
        residual: Tensor = self.head(F.relu(self.blocks(self.stem(source - 0.5))))
        return area_latent(source) + residual


def area_latent(source: Tensor) -> Tensor:
    """2 x 2 means of the source, (N, 24, h, w) -> (N, 6, h, w): what an untrained encoder sends."""
    luma, u, v = source[:, :16], source[:, 16:20], source[:, 20:]
    n, _, h, w = luma.shape
    # channel 4 * row + column of a 4 x 4 patch -> the four 2 x 2 quadrants
    quadrants = luma.reshape(n, 2, 2, 2, 2, h, w).mean(dim=(2, 4)).reshape(n, 4, h, w)
    return torch.cat([quadrants, u.mean(1, keepdim=True), v.mean(1, keepdim=True)], dim=1)


class TinyAEDecoder(nn.Module):
    """(N, 6, h, w) restored latent and (N, F, h, w) features to (N, 24, h, w) source, 0..1."""

    def __init__(self, features: int, channels: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2 * LATENT_CHANNELS + features, channels, 3, padding=1)
        self.blocks = nn.Sequential(*(DilatedBlock(channels, d) for d in dilations))
        self.head = zero_initialised(nn.Conv2d(channels, SOURCE_CHANNELS, 3, padding=1))
        self.enlarge = nn.ParameterDict({str(s): bicubic_kernel() for s in LATENT_SCALES})

    def forward(self, latent: Tensor, features: Tensor, scale: int) -> Tensor:
        x = self.stem(torch.cat([with_detail(latent), features], dim=1))
        residual: Tensor = self.head(F.relu(self.blocks(x))) * RESIDUAL_GAIN
        with torch.autocast(latent.device.type, enabled=False):  # bf16 would cost half a level
            return enlarged_latent(latent.float(), self.enlarge[str(scale)]) + residual


def enlarged_latent(latent: Tensor, kernel: Tensor) -> Tensor:
    """x 2 of a latent, on the grid: (N, 6, h, w) -> (N, 24, h, w).

    As one 3 x 3 convolution: folded planes need no shuffling back and forth.
    """
    return F.conv2d(F.pad(latent, (1, 1, 1, 1), mode="replicate"), kernel)


def bicubic_kernel() -> Tensor:
    """(24, 6, 3, 3): x 2 between the folded planes, Catmull-Rom for luma, bilinear for chroma.

    Luma has two samples a cell, so that three cells hold the four that a cubic needs.
    """
    kernel = torch.zeros(SOURCE_CHANNELS, LATENT_CHANNELS, 3, 3)
    kernel[:16, :4] = _folded_enlargement(2, _cubic)
    kernel[16:20, 4:5] = kernel[20:, 5:] = _folded_enlargement(1, _linear)
    return kernel


def _folded_enlargement(fold: int, weight: Callable[[float], float]) -> Tensor:
    """(4 fold^2, fold^2, 3, 3): x 2 of a plane folded by `fold`, neighbours included."""
    line = torch.zeros(2 * fold, 3 * fold)  # output sample of the cell <- sample of three cells
    for out in range(2 * fold):
        place = (out + 0.5) / 2 - 0.5 + fold
        for sample in range(3 * fold):
            line[out, sample] = weight(abs(place - sample))
    cells = line.reshape(2 * fold, 3, fold)
    kernel = torch.einsum("oki,plj->opijkl", cells, cells)
    return kernel.reshape(4 * fold**2, fold**2, 3, 3)


def _linear(distance: float) -> float:
    return max(0.0, 1.0 - distance)


def _cubic(distance: float) -> float:
    """Catmull-Rom: the cubic with a = -1/2."""
    if distance <= 1:
        return 1.5 * distance**3 - 2.5 * distance**2 + 1
    if distance < 2:
        return -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    return 0.0


def with_detail(latent: Tensor) -> Tensor:
    """(N, 6, h, w) latent, 0..1, to (N, 12, h, w): its values, and its raised local detail.

    Detail is a hundredth of the values' range: without raising it, training first has to find the
    high-pass filters, and hardly does.
    """
    padded = F.pad(latent, (1, 1, 1, 1), mode="replicate")
    detail = F.conv2d(padded, DETAIL_KERNEL.to(latent))
    return torch.cat([latent - 0.5, detail], dim=1)


def _detail_kernel() -> Tensor:
    """(6, 6, 3, 3): DETAIL_GAIN times the difference from the mean of 3 x 3 cells, by plane."""
    kernel = torch.zeros(LATENT_CHANNELS, LATENT_CHANNELS, 3, 3)
    for plane in ((0, 1, 2, 3), (4,), (5,)):
        for channel in plane:
            kernel[channel, list(plane)] = -1 / (9 * len(plane))
            kernel[channel, channel, 1, 1] += 1
    return kernel * DETAIL_GAIN


DETAIL_KERNEL = _detail_kernel()  # made here: tracing would write its making into the graph
