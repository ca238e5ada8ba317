"""Decoded and restored pictures made for the tests of buffer, reconstruction and sinks."""

from __future__ import annotations

from made_streams import START_US, frame

from engines.codebook import Codebook
from engines.frame import Frame
from engines.latent import Latent
from viewer.picture import Decoded, Shown


def decoded(
    number: int,
    *,
    arrived_us: int = 0,
    network_id: bytes = bytes(8),
    width: int = 192,
    height: int = 112,
    scale: int = 2,
) -> Decoded:
    """A decoded picture."""
    picture = frame(number, width, height)
    small = frame(number, width // scale, height // scale).planes
    codebook = Codebook.uniform(8)
    latent = Latent(small, width, height, scale, codebook, 20.0, number, picture.captured_us)
    return Decoded(latent, network_id, 100 + number, number == 0, arrived_us)


def shown(
    number: int, *, width: int = 192, height: int = 112, captured_us: int | None = None
) -> Shown:
    """A restored picture."""
    picture = frame(number, width, height)
    if captured_us is not None:
        picture = Frame(picture.planes, number, captured_us)
    latent = decoded(number, width=width + width % 2, height=height + height % 2)
    return Shown(picture, latent, "plain", START_US + number * 40_000 + 70_000, 70_000)
