"""The latent picture: what the streamer's network makes and the carrier transports."""

from __future__ import annotations

from dataclasses import dataclass

from engines.codebook import Codebook
from engines.frame import Planes
from engines.guide import Guide

SCALES = (1, 2, 3, 4)  # linear, source to latent; 1 is the source itself
TINYAE_STRIDE = 2  # linear; the rest of the scale is the patch-wise Gaussian downscale
SOURCE_MIN = 64  # pixels, each side
SOURCE_MAX_WIDTH, SOURCE_MAX_HEIGHT = 4096, 2304


@dataclass(frozen=True, eq=False)
class Latent:
    """A small 8-bit 4:2:0 picture, as it goes into or came out of the carrier."""

    planes: Planes
    source_width: int
    source_height: int
    scale: int
    codebook: Codebook
    qp: float  # of the carrier; 0 before coding
    number: int
    captured_us: int
    guide: Guide | None = None  # the sender's, for its restorer

    @property
    def shape(self) -> tuple[int, int, int]:
        """Scale, source width and height: alike in pictures that one run of a network takes."""
        return self.scale, self.source_width, self.source_height


def padding_multiple(scale: int) -> int:
    """Source sides are padded to a multiple of this many pixels.

    The encoder works on 1/4 of the source, and a 4:2:0 latent of 1/3 needs sides
    divisible by 6.
    """
    return {1: 2, 2: 16, 3: 24, 4: 16}[scale]


def padded_size(width: int, height: int, scale: int) -> tuple[int, int]:
    """Source size (width, height) after padding."""
    multiple = padding_multiple(scale)
    return -(-width // multiple) * multiple, -(-height // multiple) * multiple


def latent_size(width: int, height: int, scale: int) -> tuple[int, int]:
    """Size (width, height) of the latent's luma for a source size; always even."""
    padded_width, padded_height = padded_size(width, height, scale)
    return padded_width // scale, padded_height // scale
