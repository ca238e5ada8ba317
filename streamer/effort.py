"""Effort: how hard x265 searches, as far as this machine holds the frame rate.

    Carrier --seconds of a picture--> Effort --preset--> Carrier

It begins at what measures best and takes a step back when pictures take too long. A step costs an
IRAP, so that times are averaged over a window first; none is undone, because the reason for it,
other work on the machine or a hard picture, may come back at any time.
"""

from __future__ import annotations

from engines.carrier import best_preset

STEPS = ("slower", "slow", "medium", "faster", "superfast", "ultrafast")
BUSY_SHARE = 0.8  # of the time between two pictures: more is too long
SPARE_SHARE = 0.5  # likewise, for the first of STEPS: few percent are not worth skipped frames
WINDOW_PICTURES = 40


class Effort:
    """x265's preset. `fixed` is what the user insists on; not `paced`: it may take its time."""

    def __init__(self, fixed: str | None, *, restored: bool, paced: bool) -> None:
        self._fixed = fixed
        self._restored = restored
        self._paced = paced and fixed is None
        self._best = self._steps_back = 0  # in STEPS
        self._window: list[float] = []

    def preset(self, width: int, height: int, scale: int) -> str:
        """For a new encoder of latents of a size and scale: `took` is about that one."""
        if self._fixed is not None:
            return self._fixed
        self._best = STEPS.index(best_preset(width, height, scale, restored=self._restored))
        return STEPS[self._step()]

    def _step(self) -> int:
        return min(self._best + self._steps_back, len(STEPS) - 1)

    def took(self, seconds: float, fps: float) -> bool:
        """A picture was coded. Whether it is time for a new encoder, with less effort."""
        if not self._paced:
            return False
        self._window.append(seconds)
        if len(self._window) < WINDOW_PICTURES:
            return False
        mean, self._window = sum(self._window) / len(self._window), []
        step = self._step()
        share = BUSY_SHARE if step else SPARE_SHARE
        if mean * fps <= share or self._steps_back >= len(STEPS) - 1:
            return False
        self._steps_back += 1
        return self._step() != step
