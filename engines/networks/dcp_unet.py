"""DCP-Unet (DeNC++, Figure 5): one deterministic diffusion step from the degraded latent.

               +--> GFB --+--> GFB --+-- ... --> unfold -+
    latent --> |     |  ^ |     |  ^                      concat -> 1x1 -> residual latent
               |     v  | |     v  |                     |          \\-> features for TinyAE
               +--> LFB --+--> LFB --+-- ... ------------+

Global feature blocks (GFB) see patches of 16 to 32 source pixels a side folded into channels, with
self-attention over windows of 9 x 16 tokens and, in turn, over as many tokens strided over the
whole picture (every fifth one of the paper's 80 x 45), and a residual convolution through fewer
channels. Those of `lite` are patches of 4 pixels without attention (docs/decisions.md). Local
feature blocks (LFB) are residual convolutions on the latent's own samples, 1/2 of the source. Long
skips join the two at every stage. It predicts x0 from the degraded latent itself, not from noise:
deterministic, so nothing flickers by chance; conditioned on QP, scale and bits by learned scale and
shift vectors of the input and the tokens, which the skips carry on. The last layer
starts at zero: never worse than upscaling at step 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engines.condition import CONDITION_SIZE
from engines.networks.quantized import convolution
from engines.networks.tinyae import (
    DETAIL_GAIN,
    FINE_CHANNELS,
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
    fold: int  # a token's side in 4 source pixels: 4 = 16 pixels
    heads: int  # of the attention; 0: none
    bottleneck: int  # channels within a global block's residual convolution
    exchange: int = 8  # channels on 1/4 of the source that travel between the two sides
    quantized: bool = False  # its 3 x 3 convolutions between equally many channels: in 8 bits

    @property
    def token_side(self) -> int:
        """Of a token, in samples of the latent on 1/2 of the source."""
        return 2 * self.fold


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


class GridAttention(nn.Module):
    """x + attention(x) within windows, or over tokens strided over the whole picture."""

    def __init__(self, width: int, heads: int, strided: bool) -> None:
        super().__init__()
        self.strided = strided
        self.norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) tokens; h and w must be multiples of the window's sides."""
        attended = self.out(self._attend(self.norm(x.permute(0, 2, 3, 1))))
        out: Tensor = x + attended.permute(0, 3, 1, 2)
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


class GlobalFeatureBlock(nn.Module):
    """Attention, where the preset has it, then x + a residual convolution of the tokens."""

    def __init__(self, config: DCPUnetConfig, strided: bool) -> None:
        super().__init__()
        width, inner = config.width, config.bottleneck
        self.attend = GridAttention(width, config.heads, strided) if config.heads else nn.Identity()
        self.reduce = convolution(width, inner, config.quantized, chained=True)
        self.restore = zero_initialised(convolution(inner, width, config.quantized))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) tokens; as `GridAttention` where there is attention."""
        x = self.attend(x)
        out: Tensor = x + self.restore(F.relu(self.reduce(x)))
        return out


class LocalFeatureBlock(nn.Module):
    """x + conv(ReLU(conv(x))) on 1/2 of the source."""

    def __init__(self, channels: int, quantized: bool) -> None:
        super().__init__()
        self.first = convolution(channels, channels, quantized, chained=True)
        self.second = convolution(channels, channels, quantized)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.second(F.relu(self.first(x)))
        return out


class Levels(nn.Module):
    """The condition's scale and shift vectors, (N, K) -> twice (N, C, 1, 1); they start as 1 and 0.

    For small tensors only: on the local features, a scale cost a twentieth of the time of
    `lite` (docs/decisions.md).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.linear = zero_initialised(nn.Linear(CONDITION_SIZE, 2 * channels))

    def forward(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        level, shift = self.linear(condition)[:, :, None, None].chunk(2, dim=1)
        return 1 + level, shift


class Stage(nn.Module):
    """A GFB and an LFB, with a long skip from each side to the other."""

    def __init__(self, config: DCPUnetConfig, strided: bool) -> None:
        super().__init__()
        self.token_side, self.windowed = config.token_side, config.heads > 0
        self.gfb = GlobalFeatureBlock(config, strided)
        self.lfb = LocalFeatureBlock(config.channels, config.quantized)
        self.to_local = nn.Sequential(
            zero_initialised(nn.Conv2d(config.width, config.channels, 1)),
            nn.Upsample(scale_factor=self.token_side),
        )
        self.to_global = _folding(config.channels, config)

    def forward(self, local: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        tokens = self.gfb(tokens)
        if not self.windowed:  # nothing is padded: no copies of it
            local = self.lfb(local + self.to_local(tokens))
            return local, tokens + self.to_global(local)
        skip = self.to_local(_crop_like(tokens, local, self.token_side))
        local = self.lfb(local + skip)
        return local, tokens + _pad_to(self.to_global(local), *tokens.shape[2:])


class DCPUnet(nn.Module):
    """Degraded latent (N, 3, h, w), 0..1, and condition (N, K) to the restored latent and features.

    `fine` (N, 4, h, w) is what a latent of full size, scale 1, has beyond (`tinyae.split_fine`).
    h and w must be multiples of `token_side`; tokens are padded to whole windows by repeating the
    border.
    """

    def __init__(self, config: DCPUnetConfig) -> None:
        super().__init__()
        self.token_side, self.windowed = config.token_side, config.heads > 0
        channels = config.channels
        self.stem = nn.Conv2d(2 * LATENT_CHANNELS, channels, 3, padding=1)
        self.fine = zero_initialised(nn.Conv2d(FINE_CHANNELS, channels, 3, padding=1))
        self.input_levels = Levels(2 * LATENT_CHANNELS)
        self.token_levels = Levels(config.width)
        self.embed = _folding(2 * LATENT_CHANNELS, config)
        self.stages = nn.ModuleList(Stage(config, bool(i % 2)) for i in range(config.stages))
        # concatenation and 1 x 1, written as the sum of its two parts: fewer bytes are moved
        self.fuse = nn.Conv2d(channels, channels, 1)
        self.unfold = nn.Sequential(
            zero_initialised(nn.Conv2d(config.width, channels * config.fold**2, 1)),
            nn.PixelShuffle(config.fold) if config.fold > 1 else nn.Identity(),
            nn.Upsample(scale_factor=2),
        )
        self.head = zero_initialised(nn.Conv2d(channels, LATENT_CHANNELS, 1))

    def forward(
        self, latent: Tensor, condition: Tensor, fine: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        level, shift = self.input_levels(condition)
        x = with_detail(latent) * level + shift
        level, shift = self.token_levels(condition)
        tokens = self.embed(x) * level + shift
        if self.windowed:
            tokens = _pad_to_whole(tokens, *WINDOW)
        local = self.stem(x)
        if fine is not None:
            local = local + self.fine(fine * DETAIL_GAIN)
        for stage in self.stages:
            local, tokens = stage(local, tokens)
        if self.windowed:
            tokens = _crop_like(tokens, local, self.token_side)
        features = self.fuse(local) + self.unfold(tokens)
        return latent + self.head(features) * RESIDUAL_GAIN, features

    def padded(self, planes: Tensor) -> Tensor:
        """Planes on 1/2 of the source with their border repeated until they are whole tokens."""
        return _pad_to_whole(planes, self.token_side, self.token_side)


def _folding(channels: int, config: DCPUnetConfig) -> nn.Sequential:
    """(N, C, h, w) on 1/2 of the source to tokens, by way of a few channels on 1/4."""
    return nn.Sequential(
        nn.Conv2d(channels, config.exchange, 2, stride=2),
        nn.Conv2d(config.exchange, config.width, config.fold, stride=config.fold),
    )


def _whole(size: int, part: int) -> int:
    """`size` rounded up to whole parts (no negative division: ONNX rounds those towards zero)."""
    return (size + part - 1) // part * part


def _pad_to_whole(x: Tensor, rows: int, columns: int) -> Tensor:
    """Repeat the border until (N, C, h, w) is whole parts of (rows, columns)."""
    return _pad_to(x, _whole(x.shape[2], rows), _whole(x.shape[3], columns))


def _pad_to(x: Tensor, height: int, width: int) -> Tensor:
    """Repeat the last row and column until (N, C, height, width)."""
    return F.pad(x, (0, width - x.shape[3], 0, height - x.shape[2]), mode="replicate")


def _crop_like(tokens: Tensor, local: Tensor, side: int) -> Tensor:
    """The tokens that lie on the local samples, without the window padding."""
    return tokens[:, :, : local.shape[2] // side, : local.shape[3] // side]
