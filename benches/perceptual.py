"""LPIPS-sq and DISTS-vgg of a clip, on frames spread over it.

DISTS-vgg, a mean over tiles of 240x240, shares its tiles out between these frames: where there are
plenty, each frame shows others. With `benches.official` this is the only file of the quality bench
that loads torch.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benches import BenchUsageError
from engines.evaluation.perceptual import (
    SQUEEZENET_FILE,
    VGG_FILE,
    DistsVgg,
    LpipsSq,
    rgb_from_yuv,
    tiles,
)
from engines.evaluation.sampling import spread
from engines.frame import Plane, Planes

TILES_MIN = 8  # of DISTS-vgg, of a clip, where its frames have so many
KEPT = torch.float16  # of the features of the reference: half of the memory, 1e-6 of the measure


@dataclass(frozen=True)
class _Features:
    """One picture, as the networks see it."""

    lpips: list[Tensor]
    dists: list[list[Tensor]]  # by tile

    def kept(self) -> _Features:
        """In half precision."""
        return _Features(
            [tap.to(KEPT) for tap in self.lpips],
            [[layer.to(KEPT) for layer in tile] for tile in self.dists],
        )


class Perceptual:
    """Both measures, with their weights from a folder; on a GPU where torch finds one.

    What the networks make of the reference is kept for the next measurement of the same clip:
    about 100 MB a frame of 1280x720.
    """

    names = ("lpips_sq", "dists_vgg")

    def __init__(self, folder: Path, frames: int, threads: int = 2) -> None:
        """Frames are shared out to `threads`, each of them with a single torch thread: torch's own
        threads wait for one another, which is many times slower when the machine is busy.

        Raises BenchUsageError when the folder lacks the weights."""
        missing = [name for name in (SQUEEZENET_FILE, VGG_FILE) if not (folder / name).is_file()]
        if missing:
            raise BenchUsageError(f"--metrics: {folder} lacks {' and '.join(missing)}")
        self._device = torch_device()
        self._lpips = LpipsSq(folder).to(self._device).eval()
        self._dists = DistsVgg(folder).to(self._device).eval()
        self._frames = frames
        self._threads = ThreadPoolExecutor(threads, initializer=partial(torch.set_num_threads, 1))
        self._reference: Sequence[Planes] = ()
        self._known: dict[int, _Features] = {}
        self._lock = threading.Lock()

    def frames_of(self, count: int) -> int:
        """How many frames of a clip of `count` are looked at."""
        return len(spread(count, self._frames))

    def measure(self, test: Sequence[Planes], reference: Sequence[Planes]) -> dict[str, float]:
        """Means by name, lower is better, of `test` against `reference`, which have the same size
        and length."""
        if reference is not self._reference:
            self._reference, self._known = reference, {}
        numbers = spread(len(reference), self._frames)
        found = list(self._threads.map(partial(self._frame, test), numbers, range(len(numbers))))
        lpips = np.mean([of_frame for of_frame, _ in found])
        dists = np.mean([distance for _, of_frame in found for distance in of_frame])
        return dict(zip(self.names, (float(lpips), float(dists)), strict=True))

    def _frame(self, test: Sequence[Planes], number: int, place: int) -> tuple[float, list[float]]:
        """LPIPS-sq of a frame, and DISTS-vgg of each of its tiles; `place` of it in the sample."""
        with torch.inference_mode():
            if number not in self._known:
                kept = self._features(self._reference[number], place).kept()
                with self._lock:
                    self._known[number] = kept
            reference = self._known[number]
            seen = self._features(test[number], place)
            lpips = self._lpips.between(seen.lpips, [tap.float() for tap in reference.lpips])
            distances = [
                self._dists.between(tile, [layer.float() for layer in known])
                for tile, known in zip(seen.dists, reference.dists, strict=True)
            ]
            return float(lpips), [float(distance) for distance in distances]

    def _features(self, planes: Planes, place: int) -> _Features:
        rgb = self._rgb(planes)
        whole = tiles(rgb)
        step = min(self._frames, max(1, self._frames * len(whole) // TILES_MIN))
        by_tile = [self._dists.features(tile) for tile in whole[place % step :: step]]
        return _Features(self._lpips.features(rgb), by_tile)

    def _rgb(self, planes: Planes) -> Tensor:
        return rgb_tensor(planes, self._device).contiguous(memory_format=torch.channels_last)


def torch_device() -> torch.device:
    """A GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def rgb_tensor(planes: Planes, device: torch.device) -> Tensor:
    """(1, 3, H, W), 0..1; an odd last row or column is left out."""
    height, width = planes.height // 2 * 2, planes.width // 2 * 2

    def tensor(plane: Plane) -> Tensor:
        return torch.from_numpy(plane.astype(np.float32) / 255)[None, None].to(device)

    return rgb_from_yuv(
        tensor(planes.y[:height, :width]),
        tensor(planes.u[: height // 2, : width // 2]),
        tensor(planes.v[: height // 2, : width // 2]),
    )
