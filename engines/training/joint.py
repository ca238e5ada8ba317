"""The joint stage: both halves learn together, through the carrier's proxy and now and then x265.

    clip -> encoder -> bits -> proxy of the carrier -> restorer -> error
                                     |
                                     +-> bits;  loss: 1/2 log(error + lambda bits) + looks + natural

HEVC's lambda weighs bits against squared error at the size of the latent. One sample of the latent
stands for scale^2 pixels, so bits count a sample of the latent where the error is a mean of pixels.
What another QP would give in such clips is 0.9 (QP 22) to 1.2 (QP 42) of that: weighed less, the
encoder learns to raise contrast, weighed more to lower it, which is but another QP.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from engines.carrier import CASCADE, IRAP_OFFSET
from engines.codebook import BITS_MAX
from engines.condition import condition_vector
from engines.networks.constant import Constant
from engines.networks.downscale import patch_downscale
from engines.networks.pipeline import PlaneTensors, source_on_half, unfolded_planes
from engines.networks.tinyae import EMPHASIS, reduced_source, reduction_kernel
from engines.training.batches import Batch
from engines.training.losses import (
    CHROMA_WEIGHT,
    LUMA_WEIGHT,
    PerceptualLoss,
    autocast,
    charbonnier,
    looks,
)
from engines.training.proxy import Carried, carry, picture_qps
from engines.training.real_carrier import RealCarrier, with_real_values
from engines.training.transforms import squared_error_per_bit

if TYPE_CHECKING:
    from engines.training.train import Trainer

QP_RANGE = (18.0, 45.0)  # of the pictures without an offset
BITS_DRAWN = (8, 8, 8, 8, 7, 6, 5, 4)
FIRST_WEIGHT = 0.3  # of an IRAP: live streams have one in 250 pictures, these clips one in three
RATE_WEIGHT = 1.0  # of HEVC's lambda
NATURAL_WEIGHT = 3.0  # keeps the latent a natural small picture: 2 levels off are like 0.2 dB
COST_FLOOR = 1.0  # squared 8-bit levels: 48 dB of PSNR
PLAIN_REDUCTION = Constant(reduction_kernel(EMPHASIS))


def joint_loss(
    trainer: Trainer,
    batch: Batch,
    perceptual: PerceptualLoss | None = None,
    real: RealCarrier | None = None,
) -> dict[str, Tensor]:
    """The loss of clips (N, T, 1, H, W); with `real`, the pictures and bits are x265's."""
    n, pictures = batch.source[0].shape[:2]
    source_planes = _flat(batch.source)
    bits = BITS_DRAWN[int(torch.randint(len(BITS_DRAWN), ()))]
    device = source_planes[0].device
    fidelity = torch.empty(n, device=device).uniform_(-0.5, 1.5).clamp(0, 1)  # both ends often
    with autocast(trainer.device):
        sent = trainer.streamer(*source_planes, batch.scale)
    y, u, v = (round_to_levels(p.float(), bits).view(n, pictures, *p.shape[1:]) for p in sent)
    qps, carried = _carried(
        (y, u, v), batch.scale, torch.empty(n, device=device).uniform_(*QP_RANGE), real
    )
    told = _means_since_irap(qps).flatten()
    wanted = fidelity.repeat_interleave(pictures)
    condition = torch.stack(
        [
            torch.from_numpy(condition_vector(q, batch.scale, bits, f))
            for q, f in zip(told.tolist(), wanted.tolist(), strict=True)
        ]
    ).to(device)
    with autocast(trainer.device):
        restored = trainer.viewer(*_flat(carried.planes), condition, batch.scale)
    source, restored = source_on_half(*source_planes), restored.float()

    error = _squared_error(restored, source).view(n, pictures)
    sample_bits = carried.bits / y[0, 0].numel()
    lagrangian = RATE_WEIGHT * LUMA_WEIGHT * squared_error_per_bit(qps[:, 1:].mean(1))
    weights = torch.ones(pictures, device=device)
    weights[0] = FIRST_WEIGHT
    weights /= weights.sum()
    cost = ((error + lagrangian[:, None] * sample_bits) * weights).sum(1)
    natural = natural_distance(sent, source_planes, batch.scale).mean()
    settings = trainer.settings
    look, figures = looks(
        restored, source, wanted, settings.structure, settings.perceptual, perceptual
    )
    loss = 0.5 * torch.log(cost + COST_FLOOR).mean() + NATURAL_WEIGHT * natural + look.mean()
    return {
        "loss": loss,
        "error": 0.5 * torch.log(error + COST_FLOOR).mean(),
        "bits": sample_bits.mean(),
        "natural": natural,
        **figures,
    }


def natural_distance(sent: PlaneTensors, source: PlaneTensors, scale: int) -> Tensor:
    """How far latents are from what an untrained encoder sends: (N,), in units of 0..1."""
    y, u, v = source
    small = reduced_source(y.float(), torch.cat([u, v], dim=1).float(), PLAIN_REDUCTION.beside(y))
    parts = [
        charbonnier(a.float() / 255, patch_downscale(b, scale) / 255)
        for a, b in zip(sent, unfolded_planes(small), strict=True)
    ]
    return parts[0] + 0.5 * (parts[1] + parts[2])


def round_to_levels(plane: Tensor, bits: int) -> Tensor:
    """Uniform bitwidth quantization to 2^bits values of 0..255, straight through."""
    top = (1 << bits) - 1
    clipped = plane.clamp(0, 255)
    rounded = torch.round(clipped * top / 255) * 255 / top
    if bits < BITS_MAX:
        rounded = rounded.round()  # as it travels
    return clipped + (rounded - clipped).detach()


def _carried(
    latents: PlaneTensors, scale: int, qp: Tensor, real: RealCarrier | None
) -> tuple[Tensor, Carried]:
    """QPs (N, T) of the pictures, and what the carrier makes of the latents."""
    qps = picture_qps(qp, latents[0].shape[1], CASCADE, IRAP_OFFSET)
    if real is None:
        return qps, carry(latents, qps)
    coded = real.code(latents, scale, crfs=qp.tolist())
    return coded.qps, with_real_values(carry(latents, coded.qps), coded)


def _means_since_irap(qps: Tensor) -> Tensor:
    """What viewers are told (`engines.carrier.CodedPicture.qp`) of pictures' own QPs (N, T)."""
    window = len(CASCADE)
    means = [qps[:, max(0, t + 1 - window) : t + 1].mean(1) for t in range(qps.shape[1])]
    return torch.stack(means, dim=1)


def _flat(clips: PlaneTensors) -> PlaneTensors:
    y, u, v = (plane.flatten(0, 1) for plane in clips)
    return y, u, v


def _squared_error(restored: Tensor, source: Tensor) -> Tensor:
    """Of folded planes 0..1, luma and chroma weighted, in 8-bit levels: (N,)."""
    error = (255 * (restored - source)).square()
    luma, chroma = error[:, :4].mean((1, 2, 3)), error[:, 4:].mean((1, 2, 3))
    return LUMA_WEIGHT * luma + CHROMA_WEIGHT * chroma
