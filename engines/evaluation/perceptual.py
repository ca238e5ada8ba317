"""Perceptual measures that need no download: LPIPS-sq and DISTS-vgg, in torch, differentiable.

Both are figures of our own, comparable only with themselves: LPIPS (Zhang et al. 2018) in its
uncalibrated form on SqueezeNet 1.1, and the structure and texture terms of DISTS (Ding et al.
2020) with uniform weights on the first layers of VGG-19. The weights come from a folder with
`squeezenet11_caffe.safetensors` and `vgg19_normalised_relu3_1.safetensors`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

SQUEEZENET_FILE = "squeezenet11_caffe.safetensors"
VGG_FILE = "vgg19_normalised_relu3_1.safetensors"
CAFFE_MEAN = (104.0, 117.0, 123.0)  # B, G, R
TAPS = (0, 4, 7, 9, 10, 11, 12)
POOLS = (2, 5, 8)
FIRES = (3, 4, 6, 7, 9, 10, 11, 12)
TILE = 240  # pixels; DISTS-vgg is the mean over tiles of this side


def rgb_from_yuv(y: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """Limited-range BT.709 planes, 0..1, (N, 1, H, W) and (N, 1, H/2, W/2), to RGB 0..1."""
    chroma = F.interpolate(torch.cat([u, v], 1), scale_factor=2.0, mode="bilinear")
    luma = (y - 16 / 255) * (255 / 219)
    cb, cr = ((chroma - 128 / 255) * (255 / 224)).chunk(2, dim=1)
    rgb = torch.cat(
        [luma + 1.5748 * cr, luma - 0.1873 * cb - 0.4681 * cr, luma + 1.8556 * cb], dim=1
    )
    return rgb.clamp(0, 1)


class LpipsSq(nn.Module):
    """(N, 3, H, W) RGB 0..1, twice, to (N,) distances; 0 is equal."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.weights = _Weights(load_file(folder / SQUEEZENET_FILE))
        self.register_buffer("mean", torch.tensor(CAFFE_MEAN).view(1, 3, 1, 1), persistent=False)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        n = a.shape[0]
        taps = self.features(torch.cat([a, b]))
        return self.between([tap[:n] for tap in taps], [tap[n:] for tap in taps])

    def between(self, a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
        """(N,) distances of what `features` gave for two pictures."""
        distances = [
            (x - y).square().sum(1).mean((1, 2)).float() for x, y in zip(a, b, strict=True)
        ]
        return torch.stack(distances).mean(0)

    def features(self, rgb: Tensor) -> list[Tensor]:
        """Every tap, (N, C, h, w), of unit length over its channels."""
        return [tap / (tap.square().sum(1, keepdim=True).sqrt() + 1e-10) for tap in self._taps(rgb)]

    def _taps(self, rgb: Tensor) -> list[Tensor]:
        weights = self.weights
        mean = self.get_buffer("mean")
        x = F.relu(weights.conv("features.0", rgb.flip(1) * 255 - mean, stride=2))
        taps = [x]
        for index in range(2, 13):
            if index in POOLS:
                x = F.max_pool2d(x, 3, stride=2, ceil_mode=True)
            elif index in FIRES:
                name = f"features.{index}"
                squeezed = F.relu(weights.conv(f"{name}.squeeze", x))
                x = torch.cat(
                    [
                        F.relu(weights.conv(f"{name}.expand1x1", squeezed)),
                        F.relu(weights.conv(f"{name}.expand3x3", squeezed, padding=1)),
                    ],
                    dim=1,
                )
            if index in TAPS:
                taps.append(x)
        return taps


class DistsVgg(nn.Module):
    """(N, 3, H, W) RGB 0..1, twice, to (N,) distances; 0 is equal."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.weights = _Weights(load_file(folder / VGG_FILE))

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        values = [
            self.between(self.features(x), self.features(y))
            for x, y in zip(tiles(a), tiles(b), strict=True)
        ]
        return torch.stack(values).mean(0)

    def between(self, a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
        """(N,) distances of what `features` gave for the same tile of two pictures."""
        terms = []
        for x, y in zip(a, b, strict=True):
            var_x, mean_x = torch.var_mean(x, (2, 3), unbiased=False)
            var_y, mean_y = torch.var_mean(y, (2, 3), unbiased=False)
            covariance = (x * y).mean((2, 3)) - mean_x * mean_y
            texture = (2 * mean_x * mean_y + 1e-6) / (mean_x**2 + mean_y**2 + 1e-6)
            structure = (2 * covariance + 1e-6) / (var_x + var_y + 1e-6)
            terms.append((0.5 * texture + 0.5 * structure).mean(1))
        return 1 - torch.stack(terms).mean(0)

    def features(self, rgb: Tensor) -> list[Tensor]:
        """Three layers, (N, C, h, w), of one tile."""
        conv, pad = self.weights.conv, (1, 1, 1, 1)
        x = conv("0", rgb)
        relu1_1 = F.relu(conv("2", F.pad(x, pad, mode="reflect")))
        x = F.relu(conv("5", F.pad(relu1_1, pad, mode="reflect")))
        x = F.max_pool2d(x, 2, ceil_mode=True)
        relu2_1 = F.relu(conv("9", F.pad(x, pad, mode="reflect")))
        x = F.relu(conv("12", F.pad(relu2_1, pad, mode="reflect")))
        x = F.max_pool2d(x, 2, ceil_mode=True)
        relu3_1 = F.relu(conv("16", F.pad(x, pad, mode="reflect")))
        return [relu1_1, relu2_1, relu3_1]


class _Weights(nn.Module):
    """Frozen convolutions by name."""

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        super().__init__()
        for name, tensor in tensors.items():
            self.register_buffer(name.replace(".", "_"), tensor.float(), persistent=False)

    def conv(self, name: str, x: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
        base = name.replace(".", "_")
        weight, bias = self.get_buffer(f"{base}_weight"), self.get_buffer(f"{base}_bias")
        return F.conv2d(x, weight, bias, stride=stride, padding=padding)


def tiles(rgb: Tensor) -> list[Tensor]:
    """Non-overlapping tiles that cover the picture's whole tiles; a small picture is one tile."""
    height, width = rgb.shape[2:]
    if height < TILE or width < TILE:
        return [rgb]
    return [
        rgb[:, :, top : top + TILE, left : left + TILE]
        for top in range(0, height - TILE + 1, TILE)
        for left in range(0, width - TILE + 1, TILE)
    ]
