"""Motion compensation of the carrier's proxy: block matching, and HEVC's interpolation.

The search works on detached pictures; the compensated picture is differentiable with respect to
the reference. Vectors are (N, h / BLOCK, w / BLOCK, 2), down and right, in quarter samples.

    reference --interpolation filters--> every quarter sample --one gather by vectors--> prediction
"""

from __future__ import annotations

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

MOTION_BLOCK = 16  # samples of luma
QUARTERS, EIGHTHS = 4, 8  # places a sample: vectors are as fine for chroma, whose samples are wider
COARSE_REACH = 8  # samples of the halved picture
MARGIN = 2 * COARSE_REACH + 4  # samples of luma around the reference: no vector leaves it
# H.265 Tables 8-11 and 8-12, by phase
_LUMA_TAPS = (
    (0, 0, 0, 64, 0, 0, 0, 0),
    (-1, 4, -10, 58, 17, -5, 1, 0),
    (-1, 4, -11, 40, 40, -11, 4, -1),
    (0, 1, -5, 17, 58, -10, 4, -1),
)
_CHROMA_TAPS = (
    (0, 64, 0, 0),
    (-2, 58, 10, -2),
    (-4, 54, 16, -2),
    (-6, 46, 28, -4),
    (-4, 36, 36, -4),
    (-4, 28, 46, -6),
    (-2, 16, 54, -4),
    (-2, 10, 58, -2),
)


class Reference:
    """A decoded picture with all its quarter samples: luma (N, 1, H, W), chroma (N, 2, h, w)."""

    def __init__(self, luma: Tensor, chroma: Tensor) -> None:
        self.picture = luma
        self._luma = _interpolated(luma, MARGIN, _taps(_LUMA_TAPS))
        self._chroma = _interpolated(chroma, MARGIN // 2, _taps(_CHROMA_TAPS))

    def luma(self, vectors: Tensor) -> Tensor:
        """The compensated luma (N, 1, H, W)."""
        return _gathered(self._luma, vectors, MOTION_BLOCK, QUARTERS)

    def chroma(self, vectors: Tensor) -> Tensor:
        """The compensated chroma (N, 2, h, w)."""
        return _gathered(self._chroma, vectors, MOTION_BLOCK // 2, EIGHTHS)

    def differences(self, luma: Tensor, candidates: Tensor) -> Tensor:
        """Sums of absolute differences for candidates (C, N, h, w, 2): (C, N, h, w)."""
        count, n, rows = candidates.shape[:3]
        together = candidates.transpose(0, 1).flatten(1, 2)  # below each other
        moved = _gathered(self._luma, together, MOTION_BLOCK, QUARTERS, rows)
        apart = (moved.view(n, count, *luma.shape[2:]) - luma).abs_()
        return MOTION_BLOCK**2 * F.avg_pool2d(apart, MOTION_BLOCK).transpose(0, 1)


@torch.no_grad()
def search(luma: Tensor, reference: Reference, difference_per_bit: Tensor) -> Tensor:
    """Vectors for a picture (N, 1, H, W): coarse, then a sample, a half, a quarter; then merged.

    `difference_per_bit` (N,) weighs the bits of a vector against absolute differences.
    """
    weight = difference_per_bit[:, None, None]
    vectors = _coarse(luma, reference.picture)
    for step in (0, 4, 2, 1, 0):
        candidates = _around(vectors, step) if step else _merge_candidates(vectors)
        bits = torch.stack([vector_bits(c, vectors) for c in candidates])
        costs = reference.differences(luma, candidates) + weight * bits
        best = costs.argmin(0)[None, ..., None].expand(1, *vectors.shape)
        vectors = candidates.gather(0, best)[0]
    return vectors


def vector_bits(vectors: Tensor, field: Tensor) -> Tensor:
    """What vectors take beside those of their neighbours in `field`: (N, h, w), 0 if one is alike.

    Of the left and the upper neighbour the nearer one predicts, as in HEVC's merge and AMVP.
    """
    left, above = _left_and_above(field)
    by_left, by_above = (
        2 * torch.log2(1 + (vectors - p).abs().float()).sum(-1) for p in (left, above)
    )
    return torch.minimum(by_left, by_above)


def _coarse(luma: Tensor, reference: Tensor) -> Tensor:
    """The best whole vector of the halved pictures, all of them tried."""
    here, there = F.avg_pool2d(luma, 2).squeeze(1), F.avg_pool2d(reference, 2)
    there = F.pad(there, (COARSE_REACH,) * 4, mode="replicate").squeeze(1)
    n, height, width = here.shape
    block, places = MOTION_BLOCK // 2, 2 * COARSE_REACH + 1
    sums = []
    for down in range(places):
        moved = there[:, down : down + height].unfold(2, width, 1)  # (N, H, places, W)
        apart = (moved - here[:, :, None]).abs_()
        sums.append(
            apart.view(n, height // block, block, places, width // block, block).sum((2, 5))
        )
    found = torch.stack(sums, dim=-1)  # (N, h, right, w, down)
    found[:, :, COARSE_REACH, :, COARSE_REACH] *= 0.98  # flat blocks stay where they are
    best = found.permute(0, 1, 3, 4, 2).flatten(3).argmin(-1)
    found = torch.stack([best // places, best % places], dim=-1)
    return (found - COARSE_REACH) * (2 * QUARTERS)


def _around(vectors: Tensor, step: int) -> Tensor:
    """The 3 x 3 vectors at a step: (9, N, h, w, 2), kept within the margin."""
    moves = torch.tensor([0, -step, step], device=vectors.device)
    nine = torch.cartesian_prod(moves, moves)[:, None, None, None]
    most = (MARGIN - 4) * QUARTERS
    return (vectors[None] + nine).clamp(-most, most)


def _merge_candidates(vectors: Tensor) -> Tensor:
    """Each block's own vector, its neighbours', the picture's median, none: (5, N, h, w, 2)."""
    left, above = _left_and_above(vectors)
    middle = vectors.flatten(1, 2).median(1).values[:, None, None].expand_as(vectors)
    return torch.stack([vectors, left, above, middle, torch.zeros_like(vectors)])


def _left_and_above(field: Tensor) -> tuple[Tensor, Tensor]:
    """The neighbours' vectors; over the border the other neighbour's, none in the corner."""
    left = F.pad(field[:, :, :-1], (0, 0, 1, 0))
    above = F.pad(field[:, :-1], (0, 0, 0, 0, 1, 0))
    left[:, 1:, 0], above[:, 0, 1:] = above[:, 1:, 0], left[:, 0, 1:]
    return left, above


@cache
def _taps(taps: tuple[tuple[int, ...], ...]) -> Tensor:
    return torch.tensor(taps, dtype=torch.float32) / 64  # (phases, taps)


def _interpolated(planes: Tensor, margin: int, taps: Tensor) -> Tensor:
    """(N, C, H, W) at every phase, with a margin: (N, C, P (H + 2m), P (W + 2m))."""
    n, channels, height, width = planes.shape
    phases, length = taps.shape
    before = length // 2 - 1
    reach = (margin + before, margin + length - 1 - before) * 2
    padded = F.pad(planes, reach, mode="replicate").flatten(0, 1)[:, None]
    taps = taps.to(planes)
    across = F.conv2d(padded, taps.view(phases, 1, 1, length))
    across = across.permute(0, 2, 3, 1).flatten(2)[:, None]  # (NC, 1, H, P W)
    down = F.conv2d(across, taps.view(phases, 1, length, 1)).transpose(1, 2)
    size = phases * (height + 2 * margin), phases * (width + 2 * margin)
    return down.reshape(n, channels, *size)


def _gathered(
    fine: Tensor, vectors: Tensor, block: int, phases: int, picture_rows: int | None = None
) -> Tensor:
    """The sample of each place, moved by its block's vector.

    Vectors of more than `picture_rows` rows are those of several pictures below each other.
    """
    n, channels, _, line = fine.shape
    rows, columns = vectors.shape[1] * block, vectors.shape[2] * block
    margin = (line // phases - columns) // 2
    height = block * (picture_rows or vectors.shape[1])
    grid = _places(height, columns, line, phases, margin).repeat(rows // height, 1)
    moves = vectors[..., 0] * line + vectors[..., 1]
    index = grid + moves.repeat_interleave(block, 1).repeat_interleave(block, 2)
    flat = index.view(n, 1, -1).expand(n, channels, -1)
    return fine.flatten(2).gather(2, flat).view(n, channels, rows, columns)


@cache
def _places(rows: int, columns: int, line: int, phases: int, margin: int) -> Tensor:
    """Where unmoved samples lie in a flattened interpolated plane."""
    down = (torch.arange(rows) + margin) * phases * line
    return down[:, None] + (torch.arange(columns) + margin) * phases
