"""provisional"""

from __future__ import annotations

import numpy as np

from engines.frame import Frame, Planes
from streamer.clock import Clock
from streamer.sources.cadence import Pacer
from streamer.sources.source import DEFAULT_FPS, Wanted


class DemoSource:
    live = False
    name = "demo:"

    def __init__(self, wanted: Wanted, clock: Clock) -> None:
        self.size = wanted.size or (848, 480)
        self.fps = wanted.fps or DEFAULT_FPS
        self._pacer = Pacer(self.fps, paced=wanted.paced, clock=clock)
        self._n = -1

    def read(self) -> Frame | None:
        while True:
            self._n += 1
            if self._pacer.due(self._n):
                w, h = self.size
                y = (np.add.outer(np.arange(h), np.arange(w)) + self._n).astype(np.uint8)
                c = np.full(((h + 1) // 2, (w + 1) // 2), 128, np.uint8)
                return Frame(Planes(y, c, c), self._n, self._pacer.captured_us(self._n))

    def close(self) -> None: ...
