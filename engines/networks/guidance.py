"""Guidance: a few numbers from the sender that turn the restorer's last layer towards its picture.

    features (N, C, h, w) --1x1: directions, weighted by the sender's numbers--> added to the luma

The sender decodes its own stream as the viewer does, and finds the numbers that bring the viewer's
picture closest to the source (least squares: `engines.guide_fitter`). One network's weights are
right on average; a second of one camera is not the average. The directions are trained with that
least squares in the loop. After the guided restoration of the AV1 and AV2 research (projection of
the source's error onto what a small network offers), with the projection on weights, not pictures.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engines.guide import GUIDE_SIZE

LUMA_PHASES = 4  # of the folded luma
FIT_RIDGE = 1e-4  # of the mean of the diagonal


class Guidance(nn.Module):
    """The directions, (GUIDE_SIZE, 4, C): changes of a 1 x 1 layer from features to luma."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        scale = (LUMA_PHASES * channels) ** -0.5
        self.directions = nn.Parameter(scale * torch.randn(GUIDE_SIZE, LUMA_PHASES, channels))

    def forward(self, features: Tensor, guide: Tensor) -> Tensor:
        """What is added to the luma (N, 4, h, w), from features and a guide (N, GUIDE_SIZE)."""
        layer = (guide @ self.directions.flatten(1)).reshape(-1, *self.directions.shape[1:])
        out: Tensor = (layer @ features.flatten(2)).reshape(
            -1, LUMA_PHASES, features.shape[2], features.shape[3]
        )
        return out

    def fit(self, features: Tensor, error: Tensor, together: int) -> Tensor:
        """The guide (N, GUIDE_SIZE) nearest to `error` (N, 4, h, w), the source less the picture.

        Each run of `together` samples is fitted as one.
        """
        normal, wanted = self.equations(features, error)
        normal, wanted = (m.reshape(-1, together, *m.shape[1:]).sum(1) for m in (normal, wanted))
        ridge = FIT_RIDGE * normal.diagonal(dim1=1, dim2=2).mean(1)[:, None, None]
        ridged = normal + ridge * torch.eye(GUIDE_SIZE, device=normal.device)
        solved, _ = torch.linalg.solve_ex(ridged, wanted)  # `solve` makes a GPU wait
        out: Tensor = solved.repeat_interleave(together, 0)
        return out

    def equations(self, features: Tensor, error: Tensor) -> tuple[Tensor, Tensor]:
        """Normal equations of each sample: (N, GUIDE_SIZE, GUIDE_SIZE) and (N, GUIDE_SIZE)."""
        f, e, d = features.float().flatten(2), error.float().flatten(2), self.directions
        within = f @ f.transpose(1, 2)  # (N, C, C)
        across = e @ f.transpose(1, 2)  # (N, 4, C)
        ahead = (d.flatten(0, 1) @ within).reshape(-1, GUIDE_SIZE, d[0].numel())
        normal = ahead @ d.flatten(1).T
        return normal, across.flatten(1) @ d.flatten(1).T
