"""How the proxy's blocks are coded: sizes, modes, residuals of least squared error + lambda bits.

All on detached values. Costs go from small blocks to large ones, as in an encoder's quadtree:

    per size: intra, inter --transform, dead zone--> cost with or without residual --+
    4, 8 --min--> 8 --sum--> 16 --min--> 16 --sum--> 32 --min--> choice  <-----------+
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engines.training import intra, motion
from engines.training.transforms import (
    BLOCK,
    SIZES,
    block_basis,
    blocks_of,
    dead_zone,
    pooled,
    spread,
    squared_error_per_bit,
    step_size,
)

CELL = 8  # samples of luma: the least block that has a mode
# Intra, inter. HEVC's reference has 1/3 and 1/6; x265's RDOQ comes out a little above.
ROUNDING = (0.36, 0.2)
# Bits that a residual must save beyond its usual ones, a QP above the first: where most blocks have
# none, the entropy coder has learned that, and saying that one has takes more.
RELUCTANCE_FROM_QP, RELUCTANCE = 28.0, 0.5
INTRA, INTER = 0, 1
# What bits are made of, and the bits of each; see `Carried.elements`
LEVELS = 0  # log2(1 + level^2) of each luma size, then of chroma
TRANSFORMS, INTRA_BLOCKS, INTER_BLOCKS, SPLITS, VECTORS = range(5, 10)
INTRA_AMONG_INTER, FIRST, LATER = range(10, 13)
WEIGHTS = (1.8, 1.8, 1.65, 1.5, 1.6, 4.0, 1.5, 0.8, 0.5, 0.55, 10.0, 1350.0, 68.0)


@dataclass(frozen=True)
class Choice:
    """How the blocks of a picture are coded; maps of cells, 8 x 8 samples of luma each."""

    sizes: Tensor  # (N, K, 4, 4), index of SIZES
    modes: Tensor  # likewise, INTRA or INTER
    coded: Tensor  # (N, K, 8, 8), for each 4 x 4: whether it has a luma residual
    intra_modes: tuple[Tensor, ...]  # of each luma size: (N, H / size, W / size)
    splits: Tensor  # (N,)


@torch.no_grad()
def choose(
    luma: Tensor, neighbours: Tensor, inter: Tensor | None, vectors: Tensor | None, qp: Tensor
) -> Choice:
    """Sizes, modes and residuals of least squared error + lambda bits, from small to large."""
    n = len(luma)
    qp = qp.view(n, 1, 1, 1)
    step, weight = step_size(qp), squared_error_per_bit(qp)
    source = blocks_of(luma[:, 0], BLOCK)
    vector_cost = None if vectors is None else WEIGHTS[VECTORS] * vector_bits_by_cell(vectors)
    intra_modes, costs, codeds, ways = [], [], [], []
    compensated = None if inter is None else inter[:, 0]
    tried = intra.MODES if inter is None else intra.PLAIN_MODES
    for index, size in enumerate(SIZES):
        border = intra.border_of(neighbours[:, 0], size)
        modes, around = intra.best_prediction(luma[:, 0], border, size, tried)
        intra_modes.append(modes)
        predictions = [p if p is None else blocks_of(p, BLOCK) for p in (around, compensated)]
        leaf = max(size, CELL)
        basis = block_basis(size, BLOCK).to(luma)
        by_mode, coded_by_mode = [], []
        for mode, prediction in enumerate(predictions):
            if prediction is None:
                continue
            levels = basis @ (source - prediction) @ basis.T / step
            cost, coded = least_cost(levels, ROUNDING[mode], size, WEIGHTS[index], step, qp)
            block_bits = WEIGHTS[INTRA_BLOCKS + mode] * (4 if size == 4 and mode == INTRA else 1)
            if mode == INTRA and inter is not None:
                block_bits += WEIGHTS[INTRA_AMONG_INTER]
            cost = pooled(cost, leaf // size) + weight * block_bits
            if mode == INTER and vector_cost is not None:
                cost = cost + weight * pooled(vector_cost, leaf // CELL)
            by_mode.append(cost)
            coded_by_mode.append(spread(coded, size // 4))
        best = torch.stack(by_mode).min(0)
        costs.append(best.values)
        ways.append(spread(best.indices, leaf // CELL))
        where = spread(best.indices, leaf // 4)
        codeds.append(torch.stack(coded_by_mode).gather(0, where[None])[0])
    return _quadtree(costs, ways, codeds, tuple(intra_modes), weight)


def least_cost(
    levels: Tensor,
    rounding: Tensor | float,
    size: int,
    level_bits: float,
    step: Tensor,
    qp: Tensor,
) -> tuple[Tensor, Tensor]:
    """Cost of each transform block, with or without its residual, and whether with.

    `qp` is that of luma, also for chroma, whose step is another.
    """
    whole = dead_zone(levels, rounding)
    error = pooled((levels - whole).square(), size) * step**2
    without = pooled(levels.square(), size) * step**2
    bits = level_bits * pooled(torch.log2(1 + levels.square()), size)
    bits = bits + WEIGHTS[TRANSFORMS] + RELUCTANCE * (qp - RELUCTANCE_FROM_QP).clamp(min=0)
    cost = error + squared_error_per_bit(qp) * bits
    coded = (cost < without) & (pooled(whole.abs(), size) > 0)
    return torch.where(coded, cost, without), coded


def vector_bits_by_cell(vectors: Tensor) -> Tensor:
    """What motion takes, by cell: (N, K, 4, 4)."""
    moved = motion.vector_bits(vectors, vectors)
    cells = motion.MOTION_BLOCK // CELL
    return blocks_of(spread(moved, cells) / cells**2, BLOCK // CELL)


def _quadtree(
    costs: list[Tensor],
    ways: list[Tensor],
    codeds: list[Tensor],
    intra_modes: tuple[Tensor, ...],
    weight: Tensor,
) -> Choice:
    cost, mode, coded = costs[0], ways[0], codeds[0]
    sizes = torch.zeros_like(mode)
    splits = cost.new_zeros(len(cost))
    for index, size in enumerate(SIZES[1:], start=1):
        leaf = size // CELL  # cells; both sizes 4 and 8 fill one
        split = pooled(cost, 2) if index > 1 else cost
        split = split + weight * WEIGHTS[SPLITS]
        whole = costs[index] <= split
        cost = torch.where(whole, costs[index], split)
        splits = splits + (~whole).sum((1, 2, 3))
        by_cell = spread(whole, leaf)
        sizes = torch.where(by_cell, index, sizes)
        mode = torch.where(by_cell, ways[index], mode)
        coded = torch.where(spread(by_cell, 2), codeds[index], coded)
    return Choice(sizes, mode, coded, intra_modes, splits)
