"""Patch-wise downscale (DeNC++, "Patch-wise Feature Resolution Downscaling"), with Lanczos weights.

The plane is divided into patches that do not overlap; each shrinks to the weighted mean around the
centre of every pixel that stays, the kernel reaching over the patch's border. A ratio of 2 keeps
one pixel of 2 x 2, a ratio of 1.5 keeps 2 x 2 of 3 x 3. The paper's weights are Gaussian; Lanczos
keeps more of what the small picture can hold (docs/decisions.md).
"""

from __future__ import annotations

from torch import Tensor

from engines.networks.reduction import SeparableReduction
from engines.networks.tinyae import EMPHASIS, lanczos_line

PATCHES = {3: (2, 3), 4: (1, 2)}  # total scale -> pixels kept of a patch, its side


def patch_downscale(plane: Tensor, scale: int) -> Tensor:
    """(N, 1, H, W) TinyAE plane (1/2 of the source) to total scale 2, 3 or 4.

    H and W must be divisible by 2 for scale 4 and by 3 for scale 3.
    """
    return plane if scale == 2 else REDUCTIONS[scale](plane)


def _reduction(kept: int, patch: int) -> SeparableReduction:
    line = lanczos_line(kept, patch, EMPHASIS / 2)
    return SeparableReduction(line, line, patch)


# constants of the exported graphs
REDUCTIONS = {scale: _reduction(*sizes) for scale, sizes in PATCHES.items()}
