"""The two halves as they run: the streamer's and the viewer's, planes in and planes out."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engines.condition import FIDELITY_PLACE
from engines.networks.constant import Constant
from engines.networks.dcp_unet import DCPUnet, DCPUnetConfig
from engines.networks.downscale import patch_downscale
from engines.networks.guidance import LUMA_PHASES, Guidance
from engines.networks.quantized import set_exact
from engines.networks.tinyae import (
    TinyAEDecoder,
    TinyAEEncoder,
    filtered,
    lanczos_kernel,
    split_fine,
    with_fine,
)

PlaneTensors = tuple[Tensor, Tensor, Tensor]  # (N, 1, H, W) and twice (N, 1, H / 2, W / 2)


class StreamerHalf(nn.Module):
    """TinyAE encoder and patch-wise downscale: source planes to latent planes.

    Planes hold 8-bit values (as uint8 or float); sides are padded (`latent.padded_size`).
    The latent planes come as float, 0..255, before bitwidth quantization.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.encoder = TinyAEEncoder(channels)

    def forward(self, y: Tensor, u: Tensor, v: Tensor, scale: int) -> PlaneTensors:
        return downscaled(unfolded_planes(self.encoder(y, u, v)), scale)


def downscaled(latent: PlaneTensors, scale: int) -> PlaneTensors:
    """The encoder's latent planes, at 1/2 of the source, to those of a scale."""
    luma, chroma_u, chroma_v = latent
    return (
        patch_downscale(luma, scale),
        patch_downscale(chroma_u, scale),
        patch_downscale(chroma_v, scale),
    )


class ViewerHalf(nn.Module):
    """DCP-Unet and TinyAE decoder: latent planes (float, 0..255) to the source, folded."""

    def __init__(self, unet: DCPUnetConfig, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.unet = DCPUnet(unet)
        self.decoder = TinyAEDecoder(unet.channels, dilations, unet.quantized)
        self.guidance = Guidance(unet.channels)

    def forward(
        self,
        y: Tensor,
        u: Tensor,
        v: Tensor,
        condition: Tensor,
        scale: int,
        guide: Tensor | None = None,
    ) -> Tensor:
        """(N, 6, H / 2, W / 2) restored source, 0..1, unclipped, for `unfolded_planes`."""
        folded = _folded(y, u, v, scale)
        restored, features = self._restored(folded, condition, scale)
        if guide is not None:
            restored = self.guided(restored, features, guide)
        return _cropped_like(restored, folded)

    def unguided(
        self, y: Tensor, u: Tensor, v: Tensor, condition: Tensor, scale: int
    ) -> tuple[Tensor, Tensor]:
        """As `forward` without a guide, and the features (N, C, H / 2, W / 2) for one."""
        folded = _folded(y, u, v, scale)
        restored, features = self._restored(folded, condition, scale)
        return _cropped_like(restored, folded), _cropped_like(features, folded)

    def _restored(self, folded: Tensor, condition: Tensor, scale: int) -> tuple[Tensor, Tensor]:
        """Restored source and features, padded."""
        padded = self.unet.padded(folded)
        set_exact(self, scale == 1)  # the picture itself is there: 8 bits cost 0.3 dB of it
        if scale == 1:
            degraded, fine = split_fine(padded)
            latent, features = self.unet(degraded, condition, fine)
            enlarged = with_fine(latent, fine)
        else:
            latent, features = self.unet(padded, condition)
            enlarged = self.decoder.enlarged(latent, scale)
        out: tuple[Tensor, Tensor] = self.decoder(enlarged, features, condition[:, FIDELITY_PLACE])
        return out

    def guided(self, restored: Tensor, features: Tensor, guide: Tensor) -> Tensor:
        """What `unguided` gives, with a guide (N, GUIDE_SIZE)."""
        luma = restored[:, :LUMA_PHASES] + self.guidance(features, guide)
        return torch.cat([luma, restored[:, LUMA_PHASES:]], dim=1)


def _folded(y: Tensor, u: Tensor, v: Tensor, scale: int) -> Tensor:
    return source_on_half(y, u, v) if scale == 1 else latent_on_half(y, u, v, scale)


def _cropped_like(padded: Tensor, folded: Tensor) -> Tensor:
    return padded[:, :, : folded.shape[2], : folded.shape[3]]


def latent_on_half(y: Tensor, u: Tensor, v: Tensor, scale: int) -> Tensor:
    """Latent planes of any scale (0..255) to (N, 3, H / 2, W / 2), 0..1.

    Luma is enlarged by Lanczos, chroma bilinearly.
    """
    if scale == 4:
        y = F.pixel_shuffle(filtered(y, ENLARGEMENTS[4].beside(y)), 2)
    elif scale == 3:
        y = F.pixel_shuffle(filtered(F.pixel_unshuffle(y, 2), ENLARGEMENTS[3].beside(y)), 3)
    chroma = F.interpolate(torch.cat([u, v], dim=1), scale_factor=scale, mode="bilinear")
    return torch.cat([y, chroma], dim=1) / 255


def source_on_half(y: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """8-bit source planes to (N, 6, H / 2, W / 2), 0..1: what the viewer's half restores."""
    return torch.cat([F.pixel_unshuffle(y.float(), 2), u.float(), v.float()], dim=1) / 255


def unfolded_planes(folded: Tensor) -> PlaneTensors:
    """(N, 6, h, w), a latent or a restored picture, to luma of (2h, 2w) and two chroma planes.

    The inverse of `source_on_half`, in the units of `folded`.
    """
    return F.pixel_shuffle(folded[:, :4], 2), folded[:, 4:5], folded[:, 5:6]


# of the luma, as constants of the exported graphs: x 2, and two samples to three
ENLARGEMENTS = {4: Constant(lanczos_kernel(2)), 3: Constant(lanczos_kernel(3, fold=2))}
