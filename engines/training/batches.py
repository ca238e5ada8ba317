"""Random crops for training, straight from the packed files."""

from __future__ import annotations

import json
from collections.abc import Sequence
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
from engines.training.clips import FRAMES, SIZE, cropped, unpack
from engines.training.streams import SCALE_SHARES, SIDE

CROP_STEP = 48  # pixels: crops of source and latent line up at every scale
CONTRAST_OCTAVES = (-0.5, 1.5)  # how far the contrast of streams is changed
QP_PER_DOUBLED_STEP = 6.0  # HEVC's quantization step, as in `transforms.step_size`
QP_MAX = 51.0
TOGETHER = 2  # crops of one stream stand next to each other: a guide serves both
MIDDLE = 128.0


@dataclass(frozen=True)
class Batch:
    """Source planes, of pictures or clips (N, T, 1, H, W).

    For real streams also decoded latents (float) and what is known of them.
    """

    source: PlaneTensors
    scale: int
    latent: PlaneTensors | None = None
    condition: Tensor | None = None
    fidelity: Tensor | None = None  # (N,), 0..1, as in the condition
    plain: Tensor | None = None  # (N,), squared error of each whole picture's plain enlargement


class ClipBatches:
    """Crops of short clips (N, T, 1, H, W), for training through the proxy."""

    def __init__(self, data: Path, crop: int, batch: int, frames: int, seed: int) -> None:
        self._clips = np.load(data / "clips.npy", mmap_mode="r")
        self._crop, self._batch, self._frames = crop, batch, frames
        self._rng = np.random.default_rng(seed)

    def next(self) -> Batch:
        rng = self._rng
        chosen = []
        for _ in range(self._batch):
            clip, at = self._clips[rng.integers(len(self._clips))], _place(rng, self._crop, SIZE)
            first = int(rng.integers(FRAMES - self._frames + 1))
            frames = clip[first : first + self._frames]
            if rng.random() < 0.5:
                frames = frames[::-1]
            chosen += [cropped(unpack(frame), *at, self._crop).channels for frame in frames]
        clips = self._batch, self._frames
        y, u, v = (plane.view(*clips, *plane.shape[1:]) for plane in _stack(chosen))
        source = _flip((y, u, v)) if rng.random() < 0.5 else (y, u, v)
        return Batch(source, int(rng.choice([2, 2, 3, 4])))


class StreamBatches:
    """Crops of real streams: one scale a batch, any clip, frame, QP, bits and contrast.

    TOGETHER crops, of any frames and places, are of one stream; `batch` is a multiple of it.

    What the carrier does scales with its quantization step: a stream of twice the contrast at a
    QP of 6 more is the same stream. So strong detail at high QPs, which few clips have, is made
    from ordinary detail at lower ones.
    """

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
        sources, latents, conditions, plain = [], [], [], []
        streams = self._batch // TOGETHER
        fidelity = np.clip(rng.uniform(-0.5, 1.5, self._batch), 0, 1)  # both ends often
        chosen = rng.choice(self._by_scale[scale], streams).repeat(TOGETHER)
        octaves_wanted = rng.uniform(*CONTRAST_OCTAVES, streams).repeat(TOGETHER)
        for index, wanted, octaves in zip(chosen, fidelity, octaves_wanted, strict=True):
            row, frame = self._rows[index], int(rng.integers(FRAMES))
            side = min(SIZE // scale, SIDE)
            top, left = _place(rng, self._crop, side * scale)
            at = row["top"] + top, row["left"] + left
            octaves = min(
                float(octaves), max(0.0, (QP_MAX - max(row["qps"])) / QP_PER_DOUBLED_STEP)
            )
            source = cropped(unpack(self._clips[row["clip"], frame]), *at, self._crop)
            sources.append([_with_contrast(plane, octaves) for plane in source.channels])
            latent = unpack(self._latents[index, frame, : side * 3 // 2, :side])
            carried = cropped(latent, top // scale, left // scale, self._crop // scale)
            codebook = self._codebooks[row["bits"]]
            expanded = [codebook.expand(i, plane) for i, plane in enumerate(carried.channels)]
            latents.append([_with_contrast(plane, octaves) for plane in expanded])
            qp = row["qps"][frame] + QP_PER_DOUBLED_STEP * octaves
            conditions.append(condition_vector(qp, scale, row["bits"], wanted))
            plain.append(row["errors"][frame] / 255**2 * 4**octaves)
        source_planes, latent_planes = _stack(sources), _stack(latents)
        if rng.random() < 0.5:
            source_planes, latent_planes = _flip(source_planes), _flip(latent_planes)
        return Batch(
            source_planes,
            scale,
            latent_planes,
            torch.from_numpy(np.stack(conditions)),
            torch.from_numpy(fidelity.astype(np.float32)),
            torch.tensor(plain),
        )


def _with_contrast(plane: npt.NDArray[Any], octaves: float) -> npt.NDArray[np.float32]:
    changed: npt.NDArray[np.float32] = (plane.astype(np.float32) - MIDDLE) * 2**octaves + MIDDLE
    return changed


def _place(rng: np.random.Generator, crop: int, size: int) -> tuple[int, int]:
    top, left = rng.integers(0, (size - crop) // CROP_STEP + 1, 2) * CROP_STEP
    return int(top), int(left)


def _stack(crops: Sequence[Sequence[npt.NDArray[Any]]]) -> PlaneTensors:
    y, u, v = (torch.from_numpy(np.stack([crop[i] for crop in crops]))[:, None] for i in range(3))
    return y, u, v


def _flip(planes: PlaneTensors) -> PlaneTensors:
    y, u, v = (plane.flip(-1) for plane in planes)
    return y, u, v
