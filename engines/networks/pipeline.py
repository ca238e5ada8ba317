"""The two halves as they run: the streamer's and the viewer's, planes in and planes out."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engines.networks.dcp_unet import DCPUnet, DCPUnetConfig
from engines.networks.downscale import gaussian_downscale
from engines.networks.tinyae import TinyAEDecoder, TinyAEEncoder

PlaneTensors = tuple[Tensor, Tensor, Tensor]  # (N, 1, H, W) and twice (N, 1, H / 2, W / 2)


class StreamerHalf(nn.Module):
    """TinyAE encoder and patch-wise Gaussian downscale: source planes to latent planes.

    Planes hold 8-bit values (as uint8 or float); sides are padded (`latent.padded_size`).
    The latent planes come as float, 0..255, before bitwidth quantization.
    """

    def __init__(self, channels: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.encoder = TinyAEEncoder(channels, dilations)

    def forward(self, y: Tensor, u: Tensor, v: Tensor, scale: int) -> PlaneTensors:
        luma, chroma_u, chroma_v = split_latent(self.encoder(source_on_grid(y, u, v)))
        return (
            gaussian_downscale(luma, scale) * 255,
            gaussian_downscale(chroma_u, scale) * 255,
            gaussian_downscale(chroma_v, scale) * 255,
        )


class ViewerHalf(nn.Module):
    """DCP-Unet and TinyAE decoder: latent planes (float, 0..255) to source planes, on the grid."""

    def __init__(
        self, unet: DCPUnetConfig, decoder_channels: int, dilations: tuple[int, ...]
    ) -> None:
        super().__init__()
        self.unet = DCPUnet(unet)
        self.decoder = TinyAEDecoder(unet.channels, decoder_channels, dilations)

    def forward(self, y: Tensor, u: Tensor, v: Tensor, condition: Tensor, scale: int) -> Tensor:
        """(N, 24, H / 4, W / 4) restored source on the grid, 0..1, unclipped."""
        latent, features = self.unet(latent_on_grid(y, u, v, scale), condition)
        out: Tensor = self.decoder(latent, features, scale)
        return out


def source_on_grid(y: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """8-bit source planes to (N, 24, H / 4, W / 4), 0..1."""
    luma = F.pixel_unshuffle(y.float(), 4)
    chroma = F.pixel_unshuffle(torch.cat([u, v], dim=1).float(), 2)
    return torch.cat([luma, chroma], dim=1) / 255


def source_planes(grid: Tensor) -> PlaneTensors:
    """The inverse of `source_on_grid`, still 0..1."""
    chroma = F.pixel_shuffle(grid[:, 16:], 2)
    return F.pixel_shuffle(grid[:, :16], 4), chroma[:, :1], chroma[:, 1:]


def split_latent(latent: Tensor) -> PlaneTensors:
    """(N, 6, h, w) on the grid to a luma plane of (2h, 2w) and two chroma planes of (h, w)."""
    return F.pixel_shuffle(latent[:, :4], 2), latent[:, 4:5], latent[:, 5:6]


def latent_on_grid(y: Tensor, u: Tensor, v: Tensor, scale: int) -> Tensor:
    """Latent planes of any scale (0..255) to (N, 6, h, w), 0..1, enlarged bilinearly to 1/2."""
    chroma = torch.cat([u, v], dim=1)
    if scale != 2:
        y, chroma = _enlarge(y, scale), _enlarge(chroma, scale)
    return torch.cat([F.pixel_unshuffle(y, 2), chroma], dim=1) / 255


def _enlarge(x: Tensor, scale: int) -> Tensor:
    return F.interpolate(x, scale_factor=scale / 2, mode="bilinear", align_corners=False)
