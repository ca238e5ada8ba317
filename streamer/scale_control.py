"""Scale control: fits `--scale auto` to what the carrier makes of the picture.

    Network --picture--> ScaleControl --scale--> Network -> latent -> Carrier --QP--> ScaleControl

A change costs an IRAP, so that QPs are averaged over a window first; a change that would take the
last one back waits longer each time.
"""

from __future__ import annotations

import threading

from engines.detail import LostDetail, lost_detail
from engines.frame import Frame
from engines.scale import better_scale, choose_scale

LOOK_EVERY_US = 500_000  # of capture time
LOOK_SHARE = 0.3  # of a new look at the detail, beside the earlier ones
WINDOW_US = 2_000_000  # of capture time
PICTURES_MIN = 10  # of a window
URGENT_QP = 49.0  # x265 can go no further: pictures will be left out
URGENT_WINDOW_US = 600_000
PATIENCE_US = (WINDOW_US, 10_000_000, 60_000_000)  # before the first, second, later reversals


class ScaleControl:
    """The scale of a stream; `fixed` is what the user insists on. For two threads."""

    def __init__(self, fixed: int | None, bitrate_bps: int) -> None:
        self._fixed = fixed
        self._bitrate_bps = bitrate_bps
        self._lock = threading.Lock()
        self._scale = fixed or 1
        self._from: int | None = None  # the scale before the last change
        self._reversals = 0
        self._since_us: int | None = None  # of the scale's first picture
        self._window: list[tuple[int, float]] = []  # capture time, QP
        self._lost: LostDetail | None = None
        self._looked_us = 0

    @property
    def scale(self) -> int:
        """The scale of the next picture."""
        return self._scale

    def start(self, width: int, height: int, fps: float) -> None:
        """A new picture format begins."""
        with self._lock:
            self._scale = self._fixed or choose_scale(width, height, fps, self._bitrate_bps)
            self._from, self._reversals = None, 0
            self._lost = None
            self._forget()

    def look(self, frame: Frame) -> None:
        """A picture comes; now and then its detail is measured."""
        since_us = frame.captured_us - self._looked_us
        if self._fixed or (self._lost is not None and 0 <= since_us < LOOK_EVERY_US):
            return
        seen = lost_detail(frame.planes.y)
        with self._lock:
            self._looked_us = frame.captured_us
            before = seen if self._lost is None else self._lost
            self._lost = LostDetail(
                *(old + LOOK_SHARE * (new - old) for old, new in zip(before, seen, strict=True))
            )

    def coded(self, scale: int, qp: float, irap: bool, captured_us: int) -> None:
        """A picture was coded. Its QP counts, unless it is an IRAP or of a scale that is over."""
        with self._lock:
            if self._fixed or scale != self._scale or self._lost is None:
                return
            if self._since_us is None:
                self._since_us = captured_us
            if irap:
                return
            self._window.append((captured_us, qp))
            urgent = min(q for _, q in self._window) >= URGENT_QP
            window_us = URGENT_WINDOW_US if urgent else WINDOW_US
            if captured_us - self._window[0][0] < window_us or len(self._window) < PICTURES_MIN:
                return
            qp = sum(q for _, q in self._window) / len(self._window)
            self._decide(better_scale(self._scale, qp, self._lost), captured_us)

    def _decide(self, wanted: int, now_us: int) -> None:
        self._window = []
        if wanted == self._scale:
            return
        if wanted == self._from:
            assert self._since_us is not None
            patience_us = PATIENCE_US[min(self._reversals, len(PATIENCE_US) - 1)]
            if now_us - self._since_us < patience_us:
                return
            self._reversals += 1
        self._from, self._scale = self._scale, wanted
        self._forget()

    def _forget(self) -> None:
        self._since_us = None
        self._window = []
