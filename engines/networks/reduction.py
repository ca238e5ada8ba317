"""Shrinking a plane by a separable kernel, in the few operations that a CPU does fast."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from engines.networks.constant import Constant

BLOCK = 8  # new samples of a line: the channels of one convolution, a vector of most CPUs


class SeparableReduction:
    """Each `patch` x `patch` samples become (kept x kept): along lines, then along columns.

    BLOCK neighbours of a line are made as channels, so that both convolutions compute nothing
    but what is kept, and their layout is the one that ONNX Runtime computes in.
    """

    def __init__(self, along_lines: Tensor, along_columns: Tensor, patch: int) -> None:
        """Of what the samples that are kept of a patch are made: (kept, taps) twice.

        The taps lie around the patch.
        """
        kept, taps = along_lines.shape
        patches = BLOCK // kept
        self._step, self._patch = patches * patch, patch
        self._reach, self._beyond = (taps - patch) // 2, (patches - 1) * patch
        lines = [
            F.pad(line, (at, self._beyond - at))
            for at in range(0, self._step, patch)
            for line in along_lines
        ]
        self._lines = Constant(torch.stack(lines)[:, None, None])
        self._columns = [Constant(c[:, None].repeat(BLOCK, 1, 1, 1)) for c in along_columns]

    def __call__(self, plane: Tensor) -> Tensor:
        """(N, 1, H, W) to (N, 1, H * kept / patch, W * kept / patch); whole patches."""
        kept, reach = len(self._columns), self._reach
        around = (reach, reach + self._beyond, reach, reach)
        padded = F.pad(plane, around, mode="replicate")
        narrow = F.conv2d(padded, self._lines.beside(plane), stride=(1, self._step))
        rows = [
            F.conv2d(narrow, column.beside(plane), stride=(self._patch, 1), groups=BLOCK)
            for column in self._columns
        ]
        made = [r.permute(0, 2, 3, 1).flatten(2) for r in rows]  # (N, h, w)
        small = made[0] if kept == 1 else torch.stack(made, dim=2).flatten(1, 2)
        return small[:, None, :, : plane.shape[3] * kept // self._patch]
