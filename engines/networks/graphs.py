"""The two halves with the inputs and outputs of the exported graphs, one per scale."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engines.networks.pipeline import PlaneTensors, StreamerHalf, ViewerHalf, unfolded_planes

STREAMER_INPUTS = ("y", "u", "v")  # uint8, padded source
VIEWER_INPUTS = ("y", "u", "v", "condition")  # float32 0..255, and engines.condition
OUTPUTS = ("out_y", "out_u", "out_v")


class StreamerGraph(nn.Module):
    """Padded uint8 source planes to float latent planes, 0..255."""

    def __init__(self, network: StreamerHalf, scale: int) -> None:
        super().__init__()
        self.network, self.scale = network, scale

    def forward(self, y: Tensor, u: Tensor, v: Tensor) -> PlaneTensors:
        planes: PlaneTensors = self.network(y, u, v, self.scale)
        return planes


class ViewerGraph(nn.Module):
    """Float latent planes and the condition to uint8 source planes, still padded."""

    def __init__(self, network: ViewerHalf, scale: int) -> None:
        super().__init__()
        self.network, self.scale = network, scale

    def forward(self, y: Tensor, u: Tensor, v: Tensor, condition: Tensor) -> PlaneTensors:
        restored = self.network(y, u, v, condition, self.scale)
        whole = torch.floor(torch.clamp(restored * 255 + 0.5, 0, 255)).to(torch.uint8)
        return unfolded_planes(whole)
