"""A differentiable stand-in for the carrier: what x265 does to a short clip of latents.

    picture, QP --intra prediction---------------------+
    previous reconstruction --motion search, 1/4-------+--> least D + lambda R per block
                                                       |    of sizes 4..32 x (intra, inter)
    decoded <-- prediction + residual <-- dead zone <--+
    bits    <-- log2(1 + level^2) of what is coded, by size, + modes, vectors, headers

Choices (sizes, modes, vectors, which blocks have a residual) are made on detached values; what they
lead to is differentiable, in the source and, through motion compensation, in every picture before.
The weights of bits were fitted to real x265 streams (`proxy_check --calibrate` and by hand).

Modelled: 4:2:0 with chroma's own QP, transforms 4 to 32 in a quadtree, intra prediction (from what
a first pass decoded; in later pictures, from what motion compensation gives), one reference,
vectors of 16 x 16, merging, skip.
Not modelled: smaller and larger prediction blocks, the loop filter, adaptive QP, RDOQ beyond the
choice of zero blocks, psycho-visual optimisation, the state of the entropy coder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from engines.networks.pipeline import PlaneTensors
from engines.training import intra, motion
from engines.training.choice import (
    CELL,
    INTER,
    INTRA,
    ROUNDING,
    WEIGHTS,
    Choice,
    choose,
    least_cost,
    vector_bits_by_cell,
)
from engines.training.transforms import (
    BLOCK,
    CHROMA_BLOCK,
    CHROMA_SIZES,
    SIZES,
    block_basis,
    blocks_of,
    chroma_qp,
    plane_of,
    quantized,
    spread,
    squared_error_per_bit,
    step_size,
)

_Planes = tuple[Tensor, Tensor]  # luma (N, 1, H, W), chroma (N, 2, H / 2, W / 2)

STILLNESS = 2.0  # how much more a vector's bits count in the search than afterwards
FIRST_PICTURE_QPS = -3.0  # x265 codes intra pictures finer (ipratio 1.4)


@dataclass(frozen=True)
class Carried:
    """Decoded planes, (N, T, 1, h, w) and twice half of that, 0..255; bits a picture (N, T).

    `elements` (N, T, len(WEIGHTS)) counts what the bits are made of.
    """

    planes: PlaneTensors
    bits: Tensor
    elements: Tensor


def picture_qps(
    qp: Tensor, pictures: int, cascade: Sequence[float] = (0.0,), irap: float = 0.0
) -> Tensor:
    """QPs (N, T) of a stream's first pictures, an IRAP and its P pictures, around (N,) of P.

    `cascade` and `irap`: offsets, as `engines.carrier` gives them.
    """
    places = [cascade[t % len(cascade)] for t in range(pictures)]
    places[0] = FIRST_PICTURE_QPS + irap
    return qp[:, None] + qp.new_tensor(places)


def carry(planes: PlaneTensors, qps: Tensor) -> Carried:
    """Code clips (N, T, 1, h, w), chroma half as large, 0..255, at QPs (N, T) or (N,)."""
    luma, chroma = planes[0], torch.cat(planes[1:], dim=2)
    n, pictures, _, height, width = luma.shape
    qps = (qps if qps.dim() == 2 else qps[:, None].expand(n, pictures)).to(luma)
    pad = (0, -width % BLOCK, 0, -height % BLOCK)
    half_pad = (0, pad[1] // 2, 0, pad[3] // 2)
    reference: motion.Reference | None = None
    decoded, elements = [], []
    for t in range(pictures):
        source = (
            F.pad(luma[:, t], pad, mode="replicate"),
            F.pad(chroma[:, t], half_pad, mode="replicate"),
        )
        seen, counts = _code(source, reference, qps[:, t])
        decoded.append(seen)
        elements.append(counts)
        if t + 1 < pictures:
            reference = motion.Reference(*seen)
    y = torch.stack([p[0][:, :, :height, :width] for p in decoded], dim=1)
    c = torch.stack([p[1][:, :, : height // 2, : width // 2] for p in decoded], dim=1)
    counted = torch.stack(elements, dim=1)
    return Carried((y, c[:, :, :1], c[:, :, 1:]), counted @ counted.new_tensor(WEIGHTS), counted)


def _code(
    source: _Planes, reference: motion.Reference | None, qp: Tensor
) -> tuple[_Planes, Tensor]:
    """One picture, padded: decoded, and its elements (N, len(WEIGHTS))."""
    luma, n = source[0], len(source[0])
    if reference is None:
        vectors, compensated = None, None
        with torch.no_grad():
            seen, _ = _decoded(source, source, None, choose(luma, luma, None, None, qp), qp)
        neighbours = _straight_through(source[0], seen[0]), _straight_through(source[1], seen[1])
        choice = choose(luma, seen[0], None, None, qp)
    else:
        vectors = motion.search(luma, reference, STILLNESS * squared_error_per_bit(qp).sqrt())
        neighbours = compensated = reference.luma(vectors), reference.chroma(vectors)
        choice = choose(luma, compensated[0], compensated[0], vectors, qp)
    seen, counts = _decoded(source, neighbours, compensated, choice, qp)
    area = 2.0 ** (2 * choice.sizes - 2)  # cells a transform block; the least motion has is one
    intra_blocks = ((choice.modes == INTRA) / area).sum((1, 2, 3))
    inter_blocks = ((choice.modes == INTER) / area.clamp(min=1)).sum((1, 2, 3))
    travelling = luma.new_zeros(n)
    if vectors is not None:
        travelling = (vector_bits_by_cell(vectors) * (choice.modes == INTER)).sum((1, 2, 3))
    first = luma.new_full((n,), float(reference is None))
    odd = intra_blocks * (1 - first)
    counts += [intra_blocks, inter_blocks, choice.splits, travelling, odd, first, 1 - first]
    return seen, torch.stack(counts, dim=1)


def _decoded(
    source: _Planes, neighbours: _Planes, compensated: _Planes | None, choice: Choice, qp: Tensor
) -> tuple[_Planes, list[Tensor]]:
    """What is seen of a picture, and the counts of levels and transforms.

    Intra prediction goes from `neighbours`, which stand in for what is decoded around a block.
    """
    height, width = source[0].shape[2:]
    inter = (None, None) if compensated is None else compensated
    predicted = _predicted(neighbours[0], inter[0], choice, SIZES, CELL)
    residual = blocks_of(source[0] - predicted, BLOCK)  # (N, 1, K, 32, 32)
    rounding = _rounding(choice.modes, CELL)
    kept, counts = _transformed(residual, choice, qp, rounding, SIZES, spread(choice.coded, 4))
    luma = predicted + plane_of(kept, height, width)

    predicted = _predicted(neighbours[1], inter[1], choice, CHROMA_SIZES, CELL // 2)
    residual = blocks_of(source[1] - predicted, CHROMA_BLOCK)  # (N, 2, K, 16, 16)
    rounding = _rounding(choice.modes, CELL // 2)
    kept, chroma_counts = _transformed(residual, choice, qp, rounding, CHROMA_SIZES)
    chroma = predicted + plane_of(kept, height // 2, width // 2)
    counts = [a + b for a, b in zip(counts, chroma_counts, strict=True)]
    y, c = (_straight_through(p, p.detach().clamp(0, 255).round()) for p in (luma, chroma))
    return (y, c), counts


def _predicted(
    planes: Tensor,
    inter: Tensor | None,
    choice: Choice,
    sizes: tuple[int, ...],
    cell: int,
) -> Tensor:
    """The chosen prediction of planes (N, C, H, W); `cell`: its side in samples of them."""
    _, channels, height, width = planes.shape
    size_map = plane_of(choice.sizes, height // cell, width // cell)
    intra_map = plane_of(choice.modes, height // cell, width // cell) == INTRA
    out = torch.zeros_like(planes) if inter is None else inter
    for index, size in enumerate(sizes):
        here = intra_map & (size_map == index)
        if not bool(here.any()):
            continue
        modes = choice.intra_modes[index]
        if cell < CELL and index == 0:  # chroma: a block's first mode where luma has four
            modes = modes[:, ::2, ::2]
        blocks = here[:, :: size // cell, :: size // cell] if size > cell else here
        if size < cell:
            blocks = spread(here, cell // size)
        modes, blocks = (x.repeat_interleave(channels, 0) for x in (modes, blocks))
        border = intra.border_of(planes.flatten(0, 1), size)
        around = intra.predicted(border, modes, size, blocks).view(planes.shape)
        out = torch.where(spread(here, cell)[:, None], around, out)
    return out


def _rounding(modes: Tensor, cell: int) -> Tensor:
    intra_rounding, inter_rounding = ROUNDING
    return torch.where(spread(modes, cell) == INTRA, intra_rounding, inter_rounding)


def _transformed(
    residual: Tensor,
    choice: Choice,
    qp: Tensor,
    rounding: Tensor,
    sizes: tuple[int, ...],
    coded: Tensor | None = None,
) -> tuple[Tensor, list[Tensor]]:
    """Residual blocks (N, C, K, B, B) as decoded, and counts of levels by size, chroma, transforms.

    Without `coded`, a map of samples, the blocks with a residual are chosen here (chroma).
    """
    block = residual.shape[-1]
    picture = torch.arange(len(residual), device=residual.device)
    picture = picture[:, None, None].expand(residual.shape[:3])
    step = step_size(qp if coded is not None else chroma_qp(qp))
    size_map = spread(choice.sizes, block // choice.sizes.shape[-1])[:, None]
    out = torch.zeros_like(residual)
    counts = [residual.new_zeros(len(residual)) for _ in range(6)]
    for index, size in enumerate(sizes):
        here = (size_map == index).expand(residual.shape)
        some = here.any(-1).any(-1)  # (N, C, K): blocks that have this size somewhere
        if not bool(some.any()):
            continue
        which = picture[some]
        each = step[which, None, None]
        basis = block_basis(size, block).to(residual)
        levels = basis @ residual[some] @ basis.T / each
        offset = rounding[:, None].expand(residual.shape)[some]
        if coded is None:
            with torch.no_grad():
                _, kept = least_cost(levels, offset, size, WEIGHTS[4], each, qp[which, None, None])
            kept = here[some] & spread(kept, size)
        else:
            kept = here[some] & coded[:, None][some]
        decoded = basis.T @ (quantized(levels, offset) * kept * each) @ basis
        out = out.index_put(some.nonzero(as_tuple=True), decoded, accumulate=True)
        bits = (torch.log2(1 + levels.square()) * kept).sum((1, 2))
        target = index if coded is not None else 4
        counts[target] = counts[target].index_add(0, which, bits)
        counts[5] = counts[5].index_add(0, which, kept.sum((1, 2)) / size**2)
    return out, counts


def _straight_through(samples: Tensor, values: Tensor) -> Tensor:
    """Other values with the gradient of samples."""
    return samples + (values - samples).detach()
