"""Random crops for training, straight from the packed files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engines.codebook import Codebook
from engines.condition import condition_vector
from engines.networks.pipeline import PlaneTensors
from engines.training.clips import FRAMES, SIZE, unpack
from engines.training.streams import SCALE_SHARES, SIDE

CROP_STEP = 48  # pixels: crops of source and latent line up at every scale


@dataclass(frozen=True)
class Batch:
    """Source planes (uint8) and, for real streams, decoded latents (float) and condition."""

    source: PlaneTensors
    scale: int
    latent: PlaneTensors | None = None
    condition: Tensor | None = None
    fidelity: Tensor | None = None  # (N,), 0..1, as in the condition


class ClipBatches:
    """Crops of source clips, for training through the proxy."""

    def __init__(self, data: Path, crop: int, batch: int, seed: int) -> None:
        self._clips = np.load(data / "clips.npy", mmap_mode="r")
        self._crop, self._batch = crop, batch
        self._rng = np.random.default_rng(seed)

    def next(self) -> Batch:
        rng = self._rng
        chosen = []
        for _ in range(self._batch):
            frame = self._clips[rng.integers(len(self._clips)), rng.integers(FRAMES)]
            chosen.append(_crop(frame, *_place(rng, self._crop, SIZE), self._crop, 1))
        return Batch(_stack(chosen), int(rng.choice([2, 2, 3, 4])))


class StreamBatches:
    """Crops of real streams: one scale a batch, any clip, frame, QP and bits."""

    def __init__(self, data: Path, crop: int, batch: int, seed: int) -> None:
        self._clips = np.load(data / "clips.npy", mmap_mode="r")
        self._latents = np.load(data / "streams.npy", mmap_mode="r")
        document = json.loads((data / "streams.json").read_text())
        self._rows = document["rows"]
        self._codebooks = {
            int(bits): Codebook.from_bytes(bytes.fromhex(wire))
            for bits, wire in document["codebooks"].items()
        }
        self._by_scale = {
            s: [i for i, row in enumerate(self._rows) if row["scale"] == s] for s in SCALE_SHARES
        }
        self._crop, self._batch = crop, batch
        self._rng = np.random.default_rng(seed)

    def next(self) -> Batch:
        rng = self._rng
        scale = int(rng.choice(list(SCALE_SHARES), p=list(SCALE_SHARES.values())))
        sources, latents, conditions = [], [], []
        fidelity = np.clip(rng.uniform(-0.5, 1.5, self._batch), 0, 1)  # both ends often
        for i in range(self._batch):
            index = int(rng.choice(self._by_scale[scale]))
            row, frame = self._rows[index], int(rng.integers(FRAMES))
            side = min(SIZE // scale, SIDE)
            top, left = _place(rng, self._crop, side * scale)
            at = row["top"] + top, row["left"] + left
            sources.append(_crop(self._clips[row["clip"], frame], *at, self._crop, 1))
            latent = self._latents[index, frame, : side * 3 // 2, :side]
            carried = _crop(latent, top, left, self._crop, scale)
            codebook = self._codebooks[row["bits"]]
            latents.append([codebook.expand(i, plane) for i, plane in enumerate(carried)])
            conditions.append(condition_vector(row["qps"][frame], scale, row["bits"], fidelity[i]))
        source, latent_planes = _stack(sources), _stack(latents)
        if rng.random() < 0.5:
            source, latent_planes = _flip(source), _flip(latent_planes)
        return Batch(
            source,
            scale,
            latent_planes,
            torch.from_numpy(np.stack(conditions)),
            torch.from_numpy(fidelity.astype(np.float32)),
        )


def _place(rng: np.random.Generator, crop: int, size: int) -> tuple[int, int]:
    top, left = rng.integers(0, (size - crop) // CROP_STEP + 1, 2) * CROP_STEP
    return int(top), int(left)


def _crop(
    packed: npt.NDArray[np.uint8], top: int, left: int, crop: int, scale: int
) -> list[npt.NDArray[np.uint8]]:
    parts = []
    for index, plane in enumerate(unpack(packed).channels):
        part = scale * (1 if index == 0 else 2)
        parts.append(
            plane[top // part : (top + crop) // part, left // part : (left + crop) // part]
        )
    return parts


def _stack(crops: list[list[npt.NDArray[Any]]]) -> PlaneTensors:
    y, u, v = (torch.from_numpy(np.stack([crop[i] for crop in crops]))[:, None] for i in range(3))
    return y, u, v


def _flip(planes: PlaneTensors) -> PlaneTensors:
    y, u, v = (plane.flip(3) for plane in planes)
    return y, u, v
