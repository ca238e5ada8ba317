"""The sizes of the networks.

Parameter counts of the DCP-Unets are the paper's (10.8M, 15.9M, 17.5M for 720p, 1080p, 1440p, each
with 80 x 45 tokens at its size); `lite` is made for CPUs. Measured by `tests/engines`.
"""

from __future__ import annotations

from dataclasses import dataclass

from engines.networks.dcp_unet import DCPUnetConfig
from engines.networks.pipeline import StreamerHalf, ViewerHalf

ENCODER_CHANNELS = 16


@dataclass(frozen=True)
class Preset:
    """A viewer's half: the restorer, and the decoder behind it."""

    unet: DCPUnetConfig
    decoder_dilations: tuple[int, ...]


PRESETS = {
    "lite": Preset(
        DCPUnetConfig(
            32, width=64, stages=1, fold=1, heads=0, bottleneck=64, exchange=16, quantized=True
        ),
        (2,),
    ),
    "720p": Preset(
        DCPUnetConfig(48, width=432, stages=6, fold=4, heads=12, bottleneck=108, exchange=12),
        (1, 2, 4, 1),
    ),
    "1080p": Preset(
        DCPUnetConfig(32, width=504, stages=6, fold=6, heads=7, bottleneck=126, exchange=16),
        (1, 2, 4, 1),
    ),
    "1440p": Preset(
        DCPUnetConfig(32, width=512, stages=6, fold=8, heads=8, bottleneck=128, exchange=12),
        (1, 2, 4, 1),
    ),
}


def build_streamer() -> StreamerHalf:
    """The encoder that every preset shares."""
    return StreamerHalf(ENCODER_CHANNELS)


def build_viewer(name: str) -> ViewerHalf:
    """The viewer's half of a preset. Raises KeyError for an unknown name."""
    preset = PRESETS[name]
    return ViewerHalf(preset.unet, preset.decoder_dilations)
