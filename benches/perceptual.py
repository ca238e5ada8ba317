"""LPIPS-sq and DISTS-vgg of a clip, on frames sampled evenly. Only this bench file loads torch."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benches import BenchError
from engines.evaluation.perceptual import (
    SQUEEZENET_FILE,
    VGG_FILE,
    DistsVgg,
    LpipsSq,
    rgb_from_yuv,
)
from engines.frame import Plane, Planes


@dataclass(frozen=True)
class PerceptualMeasures:
    """Means over the sampled frames; lower is better."""

    lpips_sq: float
    dists_vgg: float


class Perceptual:
    """Both measures, with their weights from a folder; on a GPU where torch finds one."""

    def __init__(self, folder: Path, frames: int, threads: int = 2) -> None:
        """Frames are shared out to `threads`, each of them with a single torch thread: torch's own
        threads wait for one another, which is many times slower when the machine is busy.

        Raises BenchError when the folder lacks the weights."""
        missing = [name for name in (SQUEEZENET_FILE, VGG_FILE) if not (folder / name).is_file()]
        if missing:
            raise BenchError(f"{folder} lacks {' and '.join(missing)}")
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._lpips = LpipsSq(folder).to(self._device).eval()
        self._dists = DistsVgg(folder).to(self._device).eval()
        self._frames = frames
        self._threads = ThreadPoolExecutor(threads, initializer=partial(torch.set_num_threads, 1))

    def frames_of(self, count: int) -> list[int]:
        """The frames that are sampled of a clip of `count`: the middles of equal parts."""
        parts = min(self._frames, count)
        return [int((part + 0.5) * count / parts) for part in range(parts)]

    def measure(self, test: Sequence[Planes], reference: Sequence[Planes]) -> PerceptualMeasures:
        """Both measures of `test` against `reference`, which have the same size and length."""
        numbers = self.frames_of(len(reference))
        found = list(
            self._threads.map(
                self._frame, [test[n] for n in numbers], [reference[n] for n in numbers]
            )
        )
        lpips, dists = np.mean(found, axis=0)
        return PerceptualMeasures(float(lpips), float(dists))

    def _frame(self, test: Planes, reference: Planes) -> tuple[float, float]:
        with torch.inference_mode():
            a, b = self._rgb(test), self._rgb(reference)
            return float(self._lpips(a, b)), float(self._dists(a, b))

    def _rgb(self, planes: Planes) -> torch.Tensor:
        """(1, 3, H, W), 0..1; an odd last row or column is left out."""
        height, width = planes.height // 2 * 2, planes.width // 2 * 2
        y = self._tensor(planes.y[:height, :width])
        u = self._tensor(planes.u[: height // 2, : width // 2])
        v = self._tensor(planes.v[: height // 2, : width // 2])
        return rgb_from_yuv(y, u, v)

    def _tensor(self, plane: Plane) -> torch.Tensor:
        return torch.from_numpy(plane.astype(np.float32) / 255)[None, None].to(self._device)
