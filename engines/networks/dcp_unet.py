"""DCP-Unet (DeNC++, Figure 5): one deterministic diffusion step from the degraded latent.

               +--> GFB --+--> GFB --+-- ... --> unfold -+
    latent --> |     |  ^ |     |  ^                      concat -> 1x1 -> 3x3 -> residual latent
               |     v  | |     v  |                     |              \\-> features for TinyAE
               +--> LFB --+--> LFB --+-- ... ------------+

Global feature blocks (GFB) see patches of FOLD x FOLD cells folded into channels (16 to 32 source
pixels a side), with self-attention over windows of 9 x 16 tokens and, in turn, over as many tokens
strided over the whole picture (every fifth one of the paper's 80 x 45), and a residual convolution
through fewer channels. Local feature blocks (LFB) are residual convolutions on the 1/4 grid. Long
skips join the two at every stage. It predicts x0 from the degraded latent itself, not from noise:
deterministic, so nothing flickers by chance; conditioned on QP, scale and bits by learned scale
vectors. The last layer starts at zero: never worse than upscaling at step 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engines.condition import CONDITION_SIZE
from engines.networks.tinyae import (
    LATENT_CHANNELS,
    RESIDUAL_GAIN,
    with_detail,
    zero_initialised,
)

WINDOW = (9, 16)  # tokens of an attention group: 45 x 80 tokens are 5 x 5 windows


@dataclass(frozen=True)
class DCPUnetConfig:
    """Sizes of a DCP-Unet."""

    channels: int  # of the local blocks and of the features handed on
    width: int  # of the global blocks
    stages: int  # each one GFB and one LFB
    fold: int  # cells of the 1/4 grid per token side: 4 = 16 source pixels
    heads: int
    exchange: int = 8  # channels on the 1/4 grid that travel between the two sides


class Attention(nn.Module):
    """Self-attention over groups of tokens, (G, T, C) -> (G, T, C)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)

    def forward(self, x: Tensor) -> Tensor:
        groups, tokens, width = x.shape
        qkv = self.qkv(x).reshape(groups, tokens, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # (G, heads, T, C / heads)
        weights = torch.softmax(q @ k.transpose(-1, -2) * (width // self.heads) ** -0.5, dim=-1)
        out: Tensor = (weights @ v).transpose(1, 2).reshape(groups, tokens, width)
        return out


class GlobalFeatureBlock(nn.Module):
    """x + attention(x), then x + a residual convolution through width / 4 channels."""

    def __init__(self, width: int, heads: int, strided: bool) -> None:
        super().__init__()
        self.strided = strided
        self.norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.out = nn.Linear(width, width)
        self.reduce = nn.Conv2d(width, width // 4, 3, padding=1)
        self.restore = zero_initialised(nn.Conv2d(width // 4, width, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) tokens; h and w must be multiples of the window's sides."""
        attended = self.out(self._attend(self.norm(x.permute(0, 2, 3, 1))))
        x = x + attended.permute(0, 3, 1, 2)
        out: Tensor = x + self.restore(F.relu(self.reduce(x)))
        return out

    def _attend(self, x: Tensor) -> Tensor:
        """Attention within each group; channels stay last, so that whole tokens are moved."""
        n, h, w, c = x.shape
        rows, columns = WINDOW
        if self.strided:  # tokens h/9 and w/16 apart form a group
            groups = x.reshape(n, rows, h // rows, columns, w // columns, c)
            groups = groups.permute(0, 2, 4, 1, 3, 5)
        else:
            groups = x.reshape(n, h // rows, rows, w // columns, columns, c)
            groups = groups.permute(0, 1, 3, 2, 4, 5)
        tokens = self.attention(groups.reshape(-1, rows * columns, c))
        back = tokens.reshape(n, h // rows, w // columns, rows, columns, c)
        back = back.permute((0, 3, 1, 4, 2, 5) if self.strided else (0, 1, 3, 2, 4, 5))
        out: Tensor = back.reshape(n, h, w, c)
        return out


class LocalFeatureBlock(nn.Module):
    """x + conv(ReLU(conv(x))) on the 1/4 grid, scaled by the condition."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.level = nn.Linear(CONDITION_SIZE, channels)
        nn.init.zeros_(self.level.weight)
        nn.init.ones_(self.level.bias)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        level = self.level(condition)[:, :, None, None]
        out: Tensor = x + self.second(F.relu(self.first(x))) * level
        return out


class Stage(nn.Module):
    """A GFB and an LFB, with a long skip from each side to the other."""

    def __init__(self, config: DCPUnetConfig, strided: bool) -> None:
        super().__init__()
        self.fold = fold = config.fold
        self.gfb = GlobalFeatureBlock(config.width, config.heads, strided)
        self.lfb = LocalFeatureBlock(config.channels)
        self.to_local = nn.Sequential(
            nn.Conv2d(config.width, config.channels, 1), nn.Upsample(scale_factor=fold)
        )
        self.to_global = nn.Sequential(
            nn.Conv2d(config.channels, config.exchange, 1),
            nn.Conv2d(config.exchange, config.width, fold, stride=fold),
        )

    def forward(self, local: Tensor, tokens: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        tokens = self.gfb(tokens)
        skip = self.to_local(_crop_like(tokens, local, self.fold))
        local = self.lfb(local + skip, condition)
        return local, tokens + _pad_to(self.to_global(local), *tokens.shape[2:])


class DCPUnet(nn.Module):
    """Degraded latent (N, 6, h, w), 0..1, and condition (N, K) to the restored latent and features.

    Any h and w: the grid is padded to whole tokens and the tokens to whole windows, by repeating
    the border.
    """

    def __init__(self, config: DCPUnetConfig) -> None:
        super().__init__()
        self.config = config
        fold = config.fold
        self.stem = nn.Conv2d(2 * LATENT_CHANNELS, config.channels, 3, padding=1)
        self.level = nn.Linear(CONDITION_SIZE, 2 * config.channels)
        nn.init.zeros_(self.level.weight)
        nn.init.zeros_(self.level.bias)
        self.embed = nn.Conv2d(2 * LATENT_CHANNELS, config.width, fold, stride=fold)
        self.stages = nn.ModuleList(Stage(config, bool(i % 2)) for i in range(config.stages))
        self.unfold = nn.Sequential(
            nn.Conv2d(config.width, config.exchange * fold**2, 1), nn.PixelShuffle(fold)
        )
        self.fuse = nn.Conv2d(config.channels + config.exchange, config.channels, 1)
        self.head = zero_initialised(nn.Conv2d(config.channels, LATENT_CHANNELS, 3, padding=1))

    def forward(self, latent: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        h, w = latent.shape[2:]
        fold = self.config.fold
        x = with_detail(_pad_to(latent, _whole(h, fold), _whole(w, fold)))
        tokens = self.embed(x)
        tokens = _pad_to(
            tokens, _whole(tokens.shape[2], WINDOW[0]), _whole(tokens.shape[3], WINDOW[1])
        )
        level, shift = self.level(condition)[:, :, None, None].chunk(2, dim=1)
        local = self.stem(x) * (1 + level) + shift
        for stage in self.stages:
            local, tokens = stage(local, tokens, condition)
        unfolded = self.unfold(_crop_like(tokens, local, fold))
        features = F.relu(self.fuse(torch.cat([local, unfolded], dim=1)))
        residual = self.head(features) * RESIDUAL_GAIN
        return latent + residual[:, :, :h, :w], features[:, :, :h, :w]


def _whole(size: int, part: int) -> int:
    """`size` rounded up to whole parts (no negative division: ONNX rounds those towards zero)."""
    return (size + part - 1) // part * part


def _pad_to(x: Tensor, height: int, width: int) -> Tensor:
    """Repeat the last row and column until (N, C, height, width)."""
    return F.pad(x, (0, width - x.shape[3], 0, height - x.shape[2]), mode="replicate")


def _crop_like(tokens: Tensor, local: Tensor, fold: int) -> Tensor:
    """The tokens that lie on the local grid, without the window padding."""
    return tokens[:, :, : local.shape[2] // fold, : local.shape[3] // fold]
