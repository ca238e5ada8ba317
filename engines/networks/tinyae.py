"""TinyAE (DeNC++, Figure 4): strided convolutions to encode, dilated ones on 1/2 to decode.

Encoder:  source 4:2:0 -> strided convolutions -> (N, 6, H/4, W/4) latent
                    \\___ Lanczos reduction by 2 ___+
Decoder:  latent + features of the restorer -> dilated blocks -> (N, 6, H/2, W/2) -> source 4:2:0
                \\__________ enlargement x 2 _________________________________+
                    (scale 1: the carried picture itself, moved as its latent was)

Both end in a layer that starts at zero: an untrained TinyAE sends a plain small picture and shows
its Lanczos enlargement. The weights of reduction and enlargement are trained as well, the latter
one set a scale. The decoder takes, beside the latent's three planes, the restorer's feature maps
(DiffVC-RT section 3, "Latent Channel Expansion").
"""

from __future__ import annotations

import math
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engines.networks.constant import Constant
from engines.networks.quantized import convolution
from engines.networks.reduction import SeparableReduction

FOLDED_CHANNELS = 6  # 4 luma + 1 + 1 chroma: a picture on 1/2 of its size, as latent or restored
FINE_CHANNELS = 4  # luma of full size, folded, less its mean
LATENT_CHANNELS = 3  # on 1/2 of the source, chroma enlarged
LATENT_SCALES = (2, 3, 4)  # of TinyAE's latent; at scale 1 the source itself is carried
DETAIL_GAIN = 8.0
DETAIL_SIDE = 5  # samples whose mean is taken off
LANCZOS_LOBES = 3
REDUCTION_TAPS = 4 * LANCZOS_LOBES + 4  # of two neighbours, with the emphasis; beyond, < 1e-4
NEIGHBOURS = {-1: 0.25, 0: 0.5, 1: 0.25}  # of a new sample, itself among them
EMPHASIS = 0.12  # of what is sent: the codec takes fine detail first (docs/decisions.md)
SEPARABLE_ERROR = 0.1  # levels, at the most; rounding a kernel to half precision makes 0.04
RESIDUAL_GAIN = 0.25  # residuals are small: a smaller step keeps training's noise out of flat areas


Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)


class DilatedBlock(nn.Module):
    """x + conv(ReLU(x)), 3 x 3 with a dilation."""

    def __init__(self, channels: int, dilation: int, quantized: bool) -> None:
        super().__init__()
        self.conv = convolution(channels, channels, quantized, dilation)

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
    """Source planes, 0..255, (N, 1, H, W) luma, to (N, 6, H / 4, W / 4) folded latent, 0..255.

    Two strided convolutions straight from the planes: folding them into channels first took more
    time than the layers behind (docs/decisions.md).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.luma = nn.Conv2d(1, channels, 8, stride=4)
        self.chroma = nn.Conv2d(2, channels, 4, stride=2, bias=False)
        self.head = zero_initialised(nn.Conv2d(channels, FOLDED_CHANNELS, 3, padding=1))
        self.reduce = nn.Parameter(reduction_kernel(EMPHASIS))

    def forward(self, y: Tensor, u: Tensor, v: Tensor) -> Tensor:
        chroma = torch.cat([u, v], dim=1)
        features = F.relu(_strided(y, self.luma) + _strided(chroma, self.chroma))
        residual = F.conv2d(features, self.head.weight * 255, _scaled(self.head.bias), padding=1)
        with torch.autocast(y.device.type, enabled=False):  # bf16 would cost half a level
            return reduced_source(y.float(), chroma.float(), self.reduce) + residual

    def reduction(self) -> SeparableReduction | None:
        """All that it does to luma with the weights as they are, if that is so little.

        With a head of zeros it does no more, at several times the cost. Chroma is averaged.
        """
        if any(bool(p.detach().any()) for p in self.head.parameters()):
            return None
        return separated(self.reduce.detach())


def separated(kernel: Tensor) -> SeparableReduction | None:
    """`reduced_source`'s kernel (4, 1, k, k) along lines, then columns; None where it is not such.

    To SEPARABLE_ERROR levels.
    """
    side = kernel.shape[2]
    phases = kernel.double().reshape(2, 2, side, side)
    lines = phases.sum(2).mean(0)
    columns = phases.sum(3).mean(1) / phases.sum((2, 3)).mean()
    product = torch.einsum("iy,jx->ijyx", columns, lines)
    if (product - phases).abs().sum((2, 3)).max() * 255 > SEPARABLE_ERROR:
        return None
    return SeparableReduction(lines.float(), columns.float(), patch=4)


def _strided(planes: Tensor, layer: nn.Conv2d) -> Tensor:
    """A layer for values of -0.5..0.5 on planes of 0..255; what is folded in here costs no time."""
    reach = (layer.kernel_size[0] - layer.stride[0]) // 2
    bias = -0.5 * layer.weight.sum((1, 2, 3))
    if layer.bias is not None:
        bias = bias + layer.bias
    padded = F.pad(planes.float(), (reach,) * 4, mode="replicate")
    return F.conv2d(padded, layer.weight / 255, bias, stride=layer.stride)


def _scaled(bias: Tensor | None) -> Tensor:
    assert bias is not None
    return bias * 255


def reduction_kernel(emphasis: float = 0.0) -> Tensor:
    """Lanczos reduction of luma by 2, (4, 1, k, k) with a stride of 4: 2 x 2 samples at a time."""
    folded = lanczos_kernel(2, fold=4, emphasis=emphasis)
    cells = folded.shape[2]
    kernel = folded.reshape(4, 4, 4, cells, cells).permute(0, 3, 1, 4, 2)
    kernel = kernel.reshape(4, 1, 4 * cells, 4 * cells)
    unused = (4 * cells - REDUCTION_TAPS) // 2
    kernel = kernel[:, :, unused:-unused, unused:-unused]
    return kernel / kernel.sum((2, 3), keepdim=True)


def reduced_source(y: Tensor, chroma: Tensor, kernel: Tensor) -> Tensor:
    """The source at 1/2, folded, (N, 6, H / 4, W / 4): luma by a kernel, chroma by 2 x 2 means.

    y is (N, 1, H, W), chroma (N, 2, H / 2, W / 2).
    """
    reach = (kernel.shape[2] - 4) // 2
    luma = F.conv2d(F.pad(y, (reach,) * 4, mode="replicate"), kernel, stride=4)
    return torch.cat([luma, F.avg_pool2d(chroma, 2)], dim=1)


class TinyAEDecoder(nn.Module):
    """(N, 6, h, w) enlarged latent and (N, C, h, w) features to (N, 6, h, w) source, 0..1."""

    def __init__(self, channels: int, dilations: tuple[int, ...], quantized: bool) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(DilatedBlock(channels, d, quantized) for d in dilations))
        # the picture, and what is drawn on it for the eye alone
        self.head = zero_initialised(nn.Conv2d(channels, 2 * FOLDED_CHANNELS, 3, padding=1))
        self.enlarge = nn.ParameterDict({str(s): lanczos_kernel(2) for s in LATENT_SCALES})

    def forward(
        self, enlarged: Tensor, features: Tensor, fidelity: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The source, and the features (N, C, h, w) that its last layer was made from.

        `fidelity` (N,), 0..1, is the share of what is drawn for the eye alone.
        """
        features = self.blocks(features)
        faithful, look = self.head(features).chunk(2, dim=1)
        drawn = faithful + fidelity[:, None, None, None] * look
        return enlarged + drawn * RESIDUAL_GAIN, features

    def enlarged(self, latent: Tensor, scale: int) -> Tensor:
        """The base of scales 2 to 4: (N, 3, h, w) latent to (N, 6, h, w), by the scale's kernel."""
        with torch.autocast(latent.device.type, enabled=False):  # bf16 would cost half a level
            return enlarged_latent(latent.float(), self.enlarge[str(scale)])


def enlarged_latent(latent: Tensor, kernel: Tensor) -> Tensor:
    """x 2 of the luma, (N, 3, h, w) -> (N, 6, h, w); chroma has its size already."""
    luma = filtered(latent[:, :1], kernel)
    return torch.cat([luma, latent[:, 1:]], dim=1)


def split_fine(folded: Tensor) -> tuple[Tensor, Tensor]:
    """A picture (N, 6, h, w) on 1/2 of its size to its latent (N, 3, h, w) and the rest of luma."""
    mean = folded[:, :4].mean(1, keepdim=True)
    return torch.cat([mean, folded[:, 4:]], dim=1), folded[:, :4] - mean


def with_fine(latent: Tensor, fine: Tensor) -> Tensor:
    """The inverse of `split_fine`."""
    return torch.cat([latent[:, :1] + fine, latent[:, 1:]], dim=1)


def filtered(planes: Tensor, kernel: Tensor, groups: int = 1) -> Tensor:
    """(N, I, h, w) through a kernel (O, I / groups, k, k), the border repeated: (N, O, h, w)."""
    reach = kernel.shape[2] // 2
    return F.conv2d(F.pad(planes, (reach,) * 4, mode="replicate"), kernel, groups=groups)


def lanczos_kernel(kept: int, fold: int = 1, emphasis: float = 0.0) -> Tensor:
    """`lanczos_line` in both directions, as one convolution of a plane's folded samples.

    (kept^2, fold^2, k, k).
    """
    line = lanczos_line(kept, fold, emphasis).reshape(kept, -1, fold)
    cells = line.shape[1]
    kernel = torch.einsum("oki,plj->opijkl", line, line)
    return kernel.reshape(kept**2, fold**2, cells, cells)


def lanczos_line(kept: int, fold: int = 1, emphasis: float = 0.0) -> Tensor:
    """Lanczos resampling along a line, (kept, k * fold): what each new sample is made of.

    `fold` samples become `kept`, at each place, more of them (enlargement) or fewer (reduction,
    where the kernel spans as many more samples). `emphasis` is how much of the difference from the
    mean of its neighbours each new sample gains.
    """
    stretch = max(1.0, fold / kept)
    reach = math.ceil((LANCZOS_LOBES * stretch - fold / kept / 2) / fold)
    cells = 2 * reach + 1
    line = torch.zeros(kept, cells * fold)
    for out in range(kept):
        place = (out + 0.5) * fold / kept - 0.5 + reach * fold
        for sample in range(cells * fold):
            away = (place - sample) / stretch
            beside = sum(weight * _lanczos(abs(away + k)) for k, weight in NEIGHBOURS.items())
            line[out, sample] = (1 + emphasis) * _lanczos(abs(away)) - emphasis * beside
    return line / line.sum(1, keepdim=True)


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
        detail = filtered(latent.float(), DETAIL_KERNEL.beside(latent), LATENT_CHANNELS)
    return torch.cat([latent - 0.5, detail], dim=1)


def _detail_kernel() -> Tensor:
    """(3, 1, k, k): DETAIL_GAIN times the difference from the mean around, of each plane."""
    kernel = torch.full((LATENT_CHANNELS, 1, DETAIL_SIDE, DETAIL_SIDE), -1 / DETAIL_SIDE**2)
    kernel[:, :, DETAIL_SIDE // 2, DETAIL_SIDE // 2] += 1
    return kernel * DETAIL_GAIN


# made here: tracing would write its making into the graph
DETAIL_KERNEL = Constant(_detail_kernel())
