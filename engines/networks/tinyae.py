"""TinyAE (DeNC++, Figure 4): dilated convolutions, on 1/4 of the source to encode, 1/2 to decode.

Encoder:  source 4:2:0 -> (N, 24, H/4, W/4) -> dilated blocks -> (N, 6, H/4, W/4) latent
                    \\__________ 2 x 2 mean ______________________+
Decoder:  latent + features of the restorer -> dilated blocks -> (N, 6, H/2, W/2) -> source 4:2:0
                \\__________ enlargement x 2 _________________________________+

Both end in a layer that starts at zero: an untrained TinyAE sends a plain small picture and shows
its Lanczos enlargement. The enlargement's own weights, one set a scale, are trained as well. The
decoder takes, beside the latent's three planes, the restorer's feature maps (DiffVC-RT section 3,
"Latent Channel Expansion").
"""

from __future__ import annotations

import math
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SOURCE_CHANNELS = 24  # 16 luma + 4 + 4 chroma, folded, on 1/4 of the source
FOLDED_CHANNELS = 6  # 4 luma + 1 + 1 chroma: a picture on 1/2 of its size, as latent or restored
LATENT_CHANNELS = 3  # on 1/2 of the source, chroma enlarged
LATENT_SCALES = (2, 3, 4)  # of the carried latent
DETAIL_GAIN = 8.0
DETAIL_SIDE = 5  # samples whose mean is taken off
LANCZOS_LOBES = 3
RESIDUAL_GAIN = 0.25  # residuals are small: a smaller step keeps training's noise out of flat areas


Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)


class DilatedBlock(nn.Module):
    """x + conv(ReLU(x)), 3 x 3 with a dilation."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.conv(F.relu(x))
        return out


def zero_initialised(layer: Layer) -> Layer:
    """The layer, starting as zero."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class TinyAEEncoder(nn.Module):
    """(N, 24, h, w) source on the 1/4 grid to (N, 6, h, w) latent at 1/2, both 0..1."""

    def __init__(self, channels: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.stem = nn.Conv2d(SOURCE_CHANNELS, channels, 3, padding=1)
        self.blocks = nn.Sequential(*(DilatedBlock(channels, d) for d in dilations))
        self.head = zero_initialised(nn.Conv2d(channels, FOLDED_CHANNELS, 3, padding=1))

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
    """(N, 3, h, w) restored latent and (N, C, h, w) features to (N, 6, h, w) source, 0..1."""

    def __init__(self, channels: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(DilatedBlock(channels, d) for d in dilations))
        self.head = zero_initialised(nn.Conv2d(channels, FOLDED_CHANNELS, 3, padding=1))
        self.enlarge = nn.ParameterDict({str(s): lanczos_kernel(2) for s in LATENT_SCALES})

    def forward(self, latent: Tensor, features: Tensor, scale: int) -> Tensor:
        residual: Tensor = self.head(self.blocks(features)) * RESIDUAL_GAIN
        with torch.autocast(latent.device.type, enabled=False):  # bf16 would cost half a level
            return enlarged_latent(latent.float(), self.enlarge[str(scale)]) + residual


def enlarged_latent(latent: Tensor, kernel: Tensor) -> Tensor:
    """x 2 of the luma, (N, 3, h, w) -> (N, 6, h, w); chroma has its size already."""
    luma = filtered(latent[:, :1], kernel)
    return torch.cat([luma, latent[:, 1:]], dim=1)


def filtered(planes: Tensor, kernel: Tensor, groups: int = 1) -> Tensor:
    """(N, I, h, w) through a kernel (O, I / groups, k, k), the border repeated: (N, O, h, w)."""
    reach = kernel.shape[2] // 2
    return F.conv2d(F.pad(planes, (reach,) * 4, mode="replicate"), kernel, groups=groups)


def lanczos_kernel(ratio: int, fold: int = 1) -> Tensor:
    """Lanczos enlargement of a plane as one convolution of its folded samples.

    (ratio^2, fold^2, k, k): `fold` samples a side become `ratio`, at each place of the kernel.
    """
    cells = 2 * math.ceil(LANCZOS_LOBES / fold) + 1
    line = torch.zeros(ratio, cells * fold)  # output sample of the cell <- samples of all cells
    for out in range(ratio):
        place = (out + 0.5) * fold / ratio - 0.5 + cells // 2 * fold
        for sample in range(cells * fold):
            line[out, sample] = _lanczos(abs(place - sample))
    line = (line / line.sum(1, keepdim=True)).reshape(ratio, cells, fold)
    kernel = torch.einsum("oki,plj->opijkl", line, line)
    return kernel.reshape(ratio**2, fold**2, cells, cells)


def _lanczos(distance: float) -> float:
    """sinc(x) sinc(x / LOBES) within as many samples."""
    if distance >= LANCZOS_LOBES:
        return 0.0
    x = math.pi * max(distance, 1e-9)
    return LANCZOS_LOBES * math.sin(x) * math.sin(x / LANCZOS_LOBES) / x**2


def with_detail(latent: Tensor) -> Tensor:
    """(N, 3, h, w) latent, 0..1, to (N, 6, h, w): its values, and its raised local detail.

    Detail is a hundredth of the values' range: without raising it, training first has to find the
    high-pass filters, and hardly does.
    """
    with torch.autocast(latent.device.type, enabled=False):  # bf16 would cost half a level
        detail = filtered(latent.float(), DETAIL_KERNEL.to(latent.device), LATENT_CHANNELS)
    return torch.cat([latent - 0.5, detail], dim=1)


def _detail_kernel() -> Tensor:
    """(3, 1, k, k): DETAIL_GAIN times the difference from the mean around, of each plane."""
    kernel = torch.full((LATENT_CHANNELS, 1, DETAIL_SIDE, DETAIL_SIDE), -1 / DETAIL_SIDE**2)
    kernel[:, :, DETAIL_SIDE // 2, DETAIL_SIDE // 2] += 1
    return kernel * DETAIL_GAIN


DETAIL_KERNEL = _detail_kernel()  # made here: tracing would write its making into the graph
