"""Where training begins: a checkpoint of another run, or the installed weights."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from engines.errors import WeightsError
from engines.weight_store import ENCODER, WeightStore


def stored_state(start: Path, preset: str, device: torch.device) -> dict[str, dict[str, Tensor]]:
    """The states `streamer` and `viewer` of a checkpoint, or of a folder's installed weights.

    Raises WeightsError where there are none, or none of that preset.
    """
    if start.is_dir():
        store, names = WeightStore(start), {"streamer": ENCODER, "viewer": preset}
        return {half: load_file(store.weights(name)) for half, name in names.items()}
    state = read_checkpoint(start, device)
    if state.get("preset", preset) != preset:
        raise WeightsError(f"{start} is of the preset {state['preset']}, not {preset}")
    return state


def read_checkpoint(file: Path, device: torch.device) -> dict[str, Any]:
    """What a run has written. Raises WeightsError where the file is not that."""
    try:
        with file.open("rb") as opened:  # of anything but an archive torch raises what it likes
            if zipfile.is_zipfile(opened):
                state = torch.load(file, map_location=device, weights_only=True)
                if isinstance(state, dict):
                    return state
    except OSError as error:
        raise WeightsError(f"cannot read {file}: {error.strerror}") from error
    except (RuntimeError, pickle.UnpicklingError):
        pass
    raise WeightsError(f"{file} is not a checkpoint of a training run")


def load_part(
    network: nn.Module, state: Mapping[str, Any], part: str, start: Path, optional: str = ""
) -> None:
    """Take a part of a stored state; tensors whose name ends in `optional` may be missing there.

    Raises WeightsError where it is of another network.
    """
    if part not in state:
        raise WeightsError(f"{start} is not a checkpoint of a training run: it has no {part}")
    try:
        found = network.load_state_dict(state[part], strict=False)
    except RuntimeError as error:  # shapes
        wrong = str(error).split("\n\t")[1].strip(". ")
    else:
        missing = [n for n in found.missing_keys if not (optional and n.endswith(optional))]
        wrong = ", ".join([*missing, *found.unexpected_keys][:3])
    if wrong:
        raise WeightsError(f"the {part} in {start} is of another network: it differs in {wrong}")
