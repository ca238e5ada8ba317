"""Intra prediction of the carrier's proxy: HEVC's planar, DC and every second angular mode.

A block is predicted from the row above and the column left of it, by one matrix per mode and size.
The samples are those of a whole given picture, so that all blocks are predicted at once: a decoder
would have them decoded, block after block. Samples below the left column, which a decoder has
rarely, are not used, nor is the smoothing of what is.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

# by H.265 Table 8-5; the first from the left column, the others from the row above
_FROM_LEFT = (0, -5, -13, -21)
_FROM_ABOVE = (-32, -21, -13, -5, 0, 5, 13, 21, 32)
MODES = range(2 + len(_FROM_LEFT) + len(_FROM_ABOVE))
PLAIN_MODES = (0, 1, 2, 10)  # planar, DC, horizontal, vertical
MIDDLE = 128.0  # what is known of the samples around a picture's first block


def border_of(plane: Tensor, size: int) -> Tensor:
    """What surrounds each block of (M, H, W): (M, H / size, W / size, 3 size + 1).

    The corner, the left column downwards, two blocks' width of the row above; what lies outside
    of the picture is filled as in HEVC.
    """
    padded = F.pad(plane[:, None], (1, size, 1, 0), mode="replicate")[:, 0]
    height, width = plane.shape[1:]
    rows = padded[:, 0:height:size]  # the rows above, a column more at the left
    above = rows[:, :, 1:].unfold(2, 2 * size, size)
    corner = rows[:, :, 0:width:size, None]
    left = padded[:, 1:, 0:width:size].unfold(1, size, size)
    first = torch.arange(height // size, device=plane.device)[:, None, None] == 0
    outer = torch.arange(width // size, device=plane.device)[:, None] == 0
    no_above, no_left = first & ~outer, outer & ~first
    above = torch.where(no_above, left[..., :1], above)
    left = torch.where(no_left, above[..., :1], left)
    corner = torch.where(no_above, left[..., :1], torch.where(no_left, above[..., :1], corner))
    border = torch.cat([corner, left, above], dim=-1)
    return torch.where(first & outer, torch.full_like(border, MIDDLE), border)


@torch.no_grad()
def best_prediction(
    plane: Tensor, border: Tensor, size: int, modes: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """Of least absolute difference for each block of (M, H, W): modes (M, h, w) and (M, H, W)."""
    blocks = plane.unfold(1, size, size).unfold(2, size, size).flatten(3)  # (M, h, w, size^2)
    matrix = matrices(size).to(plane)[list(modes)]
    tried = border @ matrix.flatten(0, 1).T
    tried = tried.view(*blocks.shape[:3], len(modes), size * size)
    best = (tried - blocks[..., None, :]).abs_().sum(-1).argmin(-1)
    index = best[..., None, None].expand(*best.shape, 1, size * size)
    return plane.new_tensor(modes).long()[best], _joined(tried.gather(3, index)[..., 0, :], size)


def predicted(border: Tensor, modes: Tensor, size: int, where: Tensor) -> Tensor:
    """The prediction (M, H, W) of the blocks in `where` (M, h, w), 0 elsewhere.

    Differentiable in the borders.
    """
    chosen = matrices(size).to(border)[modes[where]]  # (blocks, size^2, 3 size + 1)
    blocks = border.new_zeros(*where.shape, size * size)
    blocks[where] = torch.bmm(chosen, border[where][:, :, None])[:, :, 0]
    return _joined(blocks, size)


def _joined(blocks: Tensor, size: int) -> Tensor:
    """(M, h, w, size^2) to (M, H, W)."""
    m, rows, columns, _ = blocks.shape
    cut = blocks.view(m, rows, columns, size, size).transpose(2, 3)
    return cut.reshape(m, rows * size, columns * size)


@cache
def matrices(size: int) -> Tensor:
    """(modes, size^2, 3 size + 1): prediction of a block from its border, a mode each."""
    made = [_planar(size), _dc(size)]
    made += [_angular(size, angle, transposed=True) for angle in _FROM_LEFT]
    made += [_angular(size, angle, transposed=False) for angle in _FROM_ABOVE]
    return torch.stack(made).view(len(MODES), size * size, 3 * size + 1)


def _dc(size: int) -> Tensor:
    matrix = torch.zeros(size, size, 3 * size + 1)
    matrix[:, :, 1 : 2 * size + 1] = 1 / (2 * size)
    return matrix


def _planar(size: int) -> Tensor:
    """Bilinear between the border and its ends (H.265 8.4.4.2.4)."""
    matrix = torch.zeros(size, size, 3 * size + 1)
    for row in range(size):
        for column in range(size):
            at = matrix[row, column]
            at[1 + row] += (size - 1 - column) / (2 * size)
            at[1 + 2 * size] += (column + 1) / (2 * size)  # above, at the right
            at[1 + size + column] += (size - 1 - row) / (2 * size)
            at[size] += (row + 1) / (2 * size)  # HEVC has the sample one below
    return matrix


def _angular(size: int, angle: int, transposed: bool) -> Tensor:
    """Along a direction (H.265 8.4.4.2.6); transposed ones go from the left column."""
    matrix = torch.zeros(size, size, 3 * size + 1)
    for line in range(size):
        place = (line + 1) * angle
        whole, part = place >> 5, (place & 31) / 32
        for along in range(size):
            at = matrix[along, line] if transposed else matrix[line, along]
            for offset, weight in ((0, 1 - part), (1, part)):
                if weight:
                    reached = along + whole + offset + 1  # 0 is the corner
                    at[_sample(reached, size, angle, transposed)] += weight
    return matrix


def _sample(reached: int, size: int, angle: int, transposed: bool) -> int:
    """The border's entry for a place on the main side; left of the corner, the other side's."""
    if reached < 0:
        other = min(round(reached * 32 / angle), size)
        reached, transposed = other, not transposed
    if reached == 0:
        return 0
    return min(reached, size) if transposed else size + min(reached, 2 * size)
