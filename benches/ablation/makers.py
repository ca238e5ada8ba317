"""How a latent is made: by TinyAE or by plain downscaling, on fitted or on even levels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from av.video.reformatter import Interpolation

from benches.ablation.configurations import Levels, Reduction
from benches.views import LatentMaker
from engines.codebook import BITS_MAX, Codebook
from engines.frame import Frame, Plane, Planes, resized
from engines.latent import Latent, latent_size, padded_size
from engines.weight_store import WeightStore

FILTERS = {Reduction.AREA: Interpolation.AREA, Reduction.LANCZOS: Interpolation.LANCZOS}


class Maker:
    """Makes latents as the network does, and marks them as the network's, whatever made them."""

    def __init__(self, network: LatentMaker, reduction: Reduction, levels: Levels) -> None:
        self.network_id = network.network_id
        self._network, self._reduction, self._levels = network, reduction, levels
        self._store = WeightStore()

    def encode(self, frame: Frame, *, scale: int, bits: int) -> Latent:
        """The latent of a frame; at scale 1 the frame itself, as ever."""
        if scale == 1 or (self._reduction, self._levels) == (Reduction.TINYAE, Levels.KMEANS):
            return self._network.encode(frame, scale=scale, bits=bits)
        finest = self._network.encode(frame, scale=scale, bits=BITS_MAX)
        if self._reduction is Reduction.TINYAE:
            values = [finest.codebook.expand(i, p) for i, p in enumerate(finest.planes.channels)]
        else:
            small = _reduced(frame, scale, FILTERS[self._reduction])
            values = [plane.astype(np.float32) for plane in small.channels]
        fitted = self._levels is Levels.KMEANS
        codebook = self._store.codebook(bits) if fitted else Codebook.uniform(bits)
        y, u, v = (codebook.compress(i, plane) for i, plane in enumerate(values))
        return replace(finest, planes=Planes(y, u, v), codebook=codebook)


def _reduced(frame: Frame, scale: int, interpolation: Interpolation) -> Planes:
    width, height = padded_size(frame.width, frame.height, scale)
    y = _padded(frame.planes.y, width, height)
    u, v = (_padded(p, width // 2, height // 2) for p in (frame.planes.u, frame.planes.v))
    return resized(Planes(y, u, v), latent_size(frame.width, frame.height, scale), interpolation)


def _padded(plane: Plane, width: int, height: int) -> Plane:
    rows, columns = plane.shape
    return np.pad(plane, ((0, height - rows), (0, width - columns)), mode="edge")
