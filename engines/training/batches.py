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
from engines.training.clips import FRAMES, SIZE
from engines.training.streams import SCALE_SHARES, SIDE

CROP_STEP = 48  # pixels: crops of source and latent line up at every scale
CONTRAST_OCTAVES = (-0.5, 1.5)  # how far the contrast of streams is changed
QP_PER_DOUBLED_STEP = 6.0  # HEVC's quantization step, as in `transforms.step_size`
QP_MAX = 51.0
TOGETHER = 2  # crops of one stream stand next to each other: a guide serves both
MIDDLE = 128.0
TAKE_UP_BATCHES = 500  # between looks for new streams
CPU = torch.device("cpu")
Places = npt.NDArray[np.int64]


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

    def tensors(self) -> list[Tensor]:
        """All that it holds, in one order."""
        rest = (self.condition, self.fidelity, self.plain)
        return [*self.source, *(self.latent or ()), *(t for t in rest if t is not None)]

    def of(self, tensors: Sequence[Tensor]) -> Batch:
        """A batch of real streams like this one, of these tensors, in the order of `tensors`."""
        y, u, v, latent_y, latent_u, latent_v, condition, fidelity, plain = tensors
        latent = (latent_y, latent_u, latent_v)
        return Batch((y, u, v), self.scale, latent, condition, fidelity, plain)


class ClipBatches:
    """Crops of short clips (N, T, 1, H, W), for training through the proxy."""

    def __init__(
        self,
        data: Path,
        crop: int,
        batch: int,
        frames: int,
        seed: int,
        device: torch.device = CPU,
    ) -> None:
        self._clips = _loaded(data / "clips.npy", device)
        self._crop, self._batch, self._frames = crop, batch, frames
        self._rng = np.random.default_rng(seed)

    def next(self) -> Batch:
        rng = self._rng
        clips = rng.integers(len(self._clips), size=self._batch)
        first = rng.integers(FRAMES - self._frames + 1, size=self._batch)
        frames = first[:, None] + np.arange(self._frames)
        backwards = rng.random(self._batch) < 0.5
        frames[backwards] = frames[backwards, ::-1]
        places = _places(rng, self._crop, SIZE, self._batch)
        chosen = Crops(clips, frames, *places).each_frame()
        planes = chosen.of(self._clips, SIZE, self._crop)
        y, u, v = (plane.view(*frames.shape, *plane.shape[1:]) for plane in planes)
        source = _flip((y, u, v)) if rng.random() < 0.5 else (y, u, v)
        return Batch(source, int(rng.choice([2, 2, 3, 4])))


class StreamBatches:
    """Crops of real streams: one scale a batch, any clip, frame, QP, bits and contrast.

    TOGETHER crops, of any frames and places, are of one stream; `batch` is a multiple of it.
    Streams that are still being made are taken up as they come. Clips and streams are held by
    `device`; on a CPU they stay in their files. At scale 1 crops are of SIDE pixels at most.

    What the carrier does scales with its quantization step: a stream of twice the contrast at a
    QP of 6 more is the same stream. So strong detail at high QPs, which few clips have, is made
    from ordinary detail at lower ones.
    """

    def __init__(
        self, data: Path, crop: int, batch: int, seed: int, device: torch.device = CPU
    ) -> None:
        self._list, self._device = data / "streams.json", device
        self._clips = _loaded(data / "clips.npy", device)
        self._file = _loaded(data / "streams.npy", CPU)
        self._latents = self._file
        if device.type != "cpu":
            self._latents = torch.empty_like(self._file, device=device)
        self._rows: list[dict[str, Any]] = []
        self._read_at, self._batches = 0, 0
        self._take_up()
        self._crop, self._batch = crop, batch
        self._rng = np.random.default_rng(seed)

    def _take_up(self) -> None:
        """The streams that are there by now."""
        changed = self._list.stat().st_mtime_ns
        if changed == self._read_at:
            return
        self._read_at = changed
        document = json.loads(self._list.read_text())
        known, self._rows = len(self._rows), document["rows"]
        if self._latents is not self._file:
            self._latents[known : len(self._rows)] = self._file[known : len(self._rows)]
        wires = {int(bits): bytes.fromhex(wire) for bits, wire in document["codebooks"].items()}
        self._tables = {
            bits: torch.from_numpy(_table(Codebook.from_bytes(wire))).to(self._device)
            for bits, wire in wires.items()
        }
        self._by_scale = {
            s: [i for i, row in enumerate(self._rows) if row["scale"] == s] for s in SCALE_SHARES
        }

    def next(self) -> Batch:
        if self._batches % TAKE_UP_BATCHES == 0:
            self._take_up()
        self._batches += 1
        rng, device = self._rng, self._device
        scale = int(rng.choice(list(SCALE_SHARES), p=list(SCALE_SHARES.values())))
        streams = self._batch // TOGETHER
        fidelity = np.clip(rng.uniform(-0.5, 1.5, self._batch), 0, 1)  # both ends often
        chosen = rng.choice(self._by_scale[scale], streams).repeat(TOGETHER)
        rows = [self._rows[index] for index in chosen]
        wanted = rng.uniform(*CONTRAST_OCTAVES, streams).repeat(TOGETHER)
        highest = np.array([max(row["qps"]) for row in rows])
        octaves = np.minimum(wanted, np.maximum(0, (QP_MAX - highest) / QP_PER_DOUBLED_STEP))
        frames = rng.integers(FRAMES, size=self._batch)
        side = min(SIZE // scale, SIDE)
        crop = min(self._crop, side * scale)
        top, left = _places(rng, crop, side * scale, self._batch)
        clips = np.array([row["clip"] for row in rows])
        kept = np.array([(row["top"], row["left"]) for row in rows]).T
        source = Crops(clips, frames, top + kept[0], left + kept[1]).of(self._clips, SIZE, crop)
        carried = Crops(chosen, frames, top // scale, left // scale).of(
            self._latents, side, crop // scale
        )
        tables = torch.stack([self._tables[row["bits"]] for row in rows])
        y, u, v = (_looked_up(tables[:, index], plane) for index, plane in enumerate(carried))
        gain = torch.from_numpy(2**octaves).float().to(device).view(-1, 1, 1, 1)
        source, latent = _with_contrast(source, gain), _with_contrast((y, u, v), gain)
        if rng.random() < 0.5:
            source, latent = _flip(source), _flip(latent)
        told = zip(rows, frames, octaves, fidelity, strict=True)
        conditions = [
            condition_vector(r["qps"][t] + QP_PER_DOUBLED_STEP * o, scale, r["bits"], f)
            for r, t, o, f in told
        ]
        errors = np.array([row["errors"][t] for row, t in zip(rows, frames, strict=True)])
        return Batch(
            source,
            scale,
            latent,
            torch.from_numpy(np.stack(conditions)).to(device),
            torch.from_numpy(fidelity).float().to(device),
            torch.from_numpy(errors / 255**2 * 4**octaves).float().to(device),
        )


@dataclass(frozen=True)
class Crops:
    """Where crops are: items of a packed file, their frames, top and left (N,), in pixels."""

    items: Places
    frames: Places  # of a clip's crops, (N, T)
    top: Places
    left: Places

    def each_frame(self) -> Crops:
        """The same crops of clips, one for each frame, in order."""
        count = self.frames.shape[1]
        each = (places.repeat(count) for places in (self.items, self.top, self.left))
        items, top, left = each
        return Crops(items, self.frames.reshape(-1), top, left)

    def of(self, packed: Tensor, side: int, crop: int) -> PlaneTensors:
        """Squares of `crop` luma samples, (N, 1, h, w) planes, of pictures of `side` x `side`.

        `packed` (K, FRAMES, rows, columns) holds pictures in its corner, as `clips.pack` packs
        them; places and `crop` are even.
        """
        half = crop // 2
        down, across = side + self.top // 2, self.left // 2
        return (
            self._part(packed, self.top, self.left, crop),
            self._part(packed, down, across, half),
            self._part(packed, down, side // 2 + across, half),
        )

    def _part(self, packed: Tensor, top: Places, left: Places, side: int) -> Tensor:
        within = np.arange(side)
        items, frames = (places[:, None, None] for places in (self.items, self.frames))
        rows, columns = (top[:, None] + within)[:, :, None], (left[:, None] + within)[:, None]
        at = (torch.from_numpy(i).to(packed.device) for i in (items, frames, rows, columns))
        return packed[tuple(at)][:, None]


def _loaded(file: Path, device: torch.device) -> Tensor:
    """An array, by `device`; a CPU reads only what is asked for."""
    return torch.from_numpy(np.load(file, mmap_mode="c")).to(device)


def _table(codebook: Codebook) -> npt.NDArray[np.float32]:
    """(3, 256): the value of every carried sample of each plane."""
    carried = np.arange(256, dtype=np.uint8)
    return np.stack([codebook.expand(index, carried) for index in range(3)]).astype(np.float32)


def _looked_up(tables: Tensor, plane: Tensor) -> Tensor:
    """Carried samples (N, 1, h, w) by the table (N, 256) of each."""
    return tables.gather(1, plane.flatten(1).long()).view(plane.shape)


def _with_contrast(planes: PlaneTensors, gain: Tensor) -> PlaneTensors:
    y, u, v = ((plane.float() - MIDDLE) * gain + MIDDLE for plane in planes)
    return y, u, v


def _places(rng: np.random.Generator, crop: int, size: int, count: int) -> tuple[Places, Places]:
    """Top and left of crops of pictures of `size` x `size`."""
    top, left = rng.integers(0, (size - crop) // CROP_STEP + 1, (2, count)) * CROP_STEP
    return top, left


def _flip(planes: PlaneTensors) -> PlaneTensors:
    y, u, v = (plane.flip(-1) for plane in planes)
    return y, u, v
