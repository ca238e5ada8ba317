"""Where training begins: a checkpoint of another run, or the installed weights."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from engines.weight_store import ENCODER, WeightStore


def stored_state(start: Path, preset: str, device: torch.device) -> dict[str, dict[str, Tensor]]:
    """The states `streamer` and `viewer` of a checkpoint, or of a folder's installed weights."""
    if start.is_dir():
        store, names = WeightStore(start), {"streamer": ENCODER, "viewer": preset}
        return {half: load_file(store.weights(name)) for half, name in names.items()}
    state: dict[str, dict[str, Tensor]] = torch.load(start, map_location=device, weights_only=True)
    return state
