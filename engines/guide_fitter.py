"""The sender's side of guided restoration: what would help the viewer's network on this picture.

    decoded latent + source --tiles--> network --normal equations--> sums --solve--> Guide

The whole picture is looked at, or, where it is large, tiles that are spread over it at random
places. The sums fade from fit to fit: a few pictures say more than one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engines.condition import FIDELITY, condition_vector
from engines.errors import WeightsError
from engines.frame import Frame
from engines.guide import GUIDE_SIZE, Guide
from engines.half import Half
from engines.latent import Latent
from engines.weight_store import NO_NETWORK, Task, WeightStore

Sums = npt.NDArray[np.float64]

WHOLE_MAX = 1280 * 720  # pixels; what is larger is looked at in tiles
TILE = 336  # pixels a side
TILES = 3  # of them each way
STEP = 48  # pixels: source, latent and its chroma line up at every scale
KEPT = 0.7  # of the sums, from fit to fit
SEED = 1
RIDGE = 0.01  # of the mean of the diagonal: numbers that hardly help stay small


class GuideFitter(Half):
    """Fits guides for one restorer. Not for several threads at once."""

    def __init__(self, restorer: str, store: WeightStore, threads: int) -> None:
        super().__init__(restorer, store, threads, task=Task.FIT)
        self._id = store.restorer_id(restorer)
        self.forget()

    def forget(self) -> None:
        """Another scene or scale begins."""
        self._rng = np.random.default_rng(SEED)
        self._normal: Sums = np.zeros((GUIDE_SIZE, GUIDE_SIZE))
        self._wanted: Sums = np.zeros(GUIDE_SIZE)

    def fit(self, latent: Latent, source: Frame) -> Guide | None:
        """The guide for pictures like this one, from what a viewer decodes and the source.

        None where nothing helps.
        """
        normal, wanted = self._runtime(latent.scale).run(self._inputs(latent, source))
        self._normal = KEPT * self._normal + normal
        self._wanted = KEPT * self._wanted + wanted
        mean = np.trace(self._normal) / GUIDE_SIZE
        if not mean > 0:
            return None
        ridge = RIDGE * mean * np.eye(GUIDE_SIZE)
        return Guide.nearest(self._id, np.linalg.solve(self._normal + ridge, self._wanted))

    def _inputs(self, latent: Latent, source: Frame) -> dict[str, npt.NDArray[np.generic]]:
        scale, codebook = latent.scale, latent.codebook
        tiles = self._tiles(source.width, source.height)
        inputs: dict[str, npt.NDArray[np.generic]] = {}
        for index, name in enumerate("yuv"):
            plane, part = latent.planes.channels[index], scale if index == 0 else 2 * scale
            inputs[name] = codebook.expand(index, np.stack([t.of(plane, part) for t in tiles]))
        vector = condition_vector(latent.qp, scale, codebook.bits, FIDELITY)
        inputs["condition"] = np.repeat(vector[None], len(tiles), axis=0)
        inputs["source_y"] = np.stack([tile.of(source.planes.y, 1) for tile in tiles])
        return inputs

    def _tiles(self, width: int, height: int) -> list[_Tile]:
        if width * height <= WHOLE_MAX:
            return [_Tile(0, 0, height // STEP * STEP, width // STEP * STEP)]
        side = min(TILE, height // STEP * STEP, width // STEP * STEP)
        down, across = ((s - side) // STEP + 1 for s in (height, width))
        return [
            _Tile(self._place(down, row), self._place(across, column), side, side)
            for row in range(TILES)
            for column in range(TILES)
        ]

    def _place(self, places: int, part: int) -> int:
        """A place within the part-th of equal parts, in pixels."""
        at = int((part + self._rng.random()) * places / TILES)
        return min(at, places - 1) * STEP


@dataclass(frozen=True)
class _Tile:
    """A part of the source, in pixels."""

    top: int
    left: int
    height: int
    width: int

    def of(self, plane: npt.NDArray[np.uint8], part: int) -> npt.NDArray[np.uint8]:
        """The same part, (1, h, w), of a plane of 1 / `part` of the source's size."""
        rows = slice(self.top // part, (self.top + self.height) // part)
        columns = slice(self.left // part, (self.left + self.width) // part)
        return plane[None, rows, columns]


def open_guide_fitter(network_id: bytes, *, threads: int) -> GuideFitter | None:
    """For the first installed partner of an encoder network; None where there is none."""
    if network_id == NO_NETWORK:
        return None
    try:
        store = WeightStore()
        name = next(iter(store.restorers_of(network_id)), None)
        if name is None or not store.has_task(name, Task.FIT):
            return None
        store.graph(name, 2, Task.FIT)
    except WeightsError:
        return None
    return GuideFitter(name, store, threads)
