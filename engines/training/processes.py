"""The processes of a run under `torchrun`; a run of one process is among them."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor


def rank() -> int:
    """Which one this is; 0 keeps the curve and the checkpoints."""
    return dist.get_rank() if dist.is_initialized() else 0


def average(value: Tensor) -> None:
    """The mean over the processes, in place."""
    dist.all_reduce(value)
    value /= dist.get_world_size()


def over_for_any(here: bool) -> bool:
    """Whether any process says that its time is over: they stop together."""
    over = torch.tensor(float(here))
    if dist.is_initialized():
        dist.all_reduce(over)
    return bool(over > 0)
