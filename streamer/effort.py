"""Effort: how hard x265 searches, as far as this machine holds the frame rate.

    Carrier --seconds of a picture--> Effort --preset--> Carrier

It begins at what measures best and takes a step back when pictures take too long. A step costs an
IRAP, so that times are averaged over a window first. It is taken back after a long calm, with time
for it, and each time after a longer one: the reason for it, other work on the machine or a hard
picture, may come back at any time.
"""

from __future__ import annotations

from engines.carrier import best_preset

STEPS = ("slower", "slow", "medium", "faster", "superfast", "ultrafast")
BUSY_SHARE = 0.8  # of the time between two pictures: more is too long
SPARE_SHARE = 0.5  # likewise, for the first of STEPS: few percent are not worth skipped frames
COSTLIER = 2.5  # than a step is the one before, at most
WINDOW_PICTURES = 40
STALL_INTERVALS = 2  # as which a picture counts at most: a stall of the machine is one picture
CALM_WINDOWS, CALM_WINDOWS_MAX = 375, 6000  # ten minutes at 25 pictures/s, and hours


class Effort:
    """x265's preset. `fixed` is what the user insists on; not `paced`: it may take its time."""

    def __init__(self, fixed: str | None, *, restored: bool, paced: bool) -> None:
        self._fixed = fixed
        self._restored = restored
        self._paced = paced and fixed is None
        self._best = self._steps_back = 0  # in STEPS
        self._window: list[float] = []  # shares of the time between two pictures
        self._calm, self._patience = 0, CALM_WINDOWS

    def preset(self, width: int, height: int, scale: int) -> str:
        """For a new encoder of latents of a size and scale: `took` is about that one."""
        if self._fixed is not None:
            return self._fixed
        self._window = []
        self._best = STEPS.index(best_preset(width, height, scale, restored=self._restored))
        return STEPS[self._step()]

    def took(self, seconds: float, fps: float) -> bool:
        """A picture was coded. Whether it is time for a new encoder, with another effort."""
        if not self._paced:
            return False
        self._window.append(min(seconds * fps, STALL_INTERVALS))
        if len(self._window) < WINDOW_PICTURES:
            return False
        mean, self._window = sum(self._window) / len(self._window), []
        step = self._step()
        if mean > _most(step):
            return self._take_step_back()
        has_time = step > self._best and mean * COSTLIER <= _most(step - 1)
        self._calm = self._calm + 1 if has_time else 0
        if self._calm < self._patience:
            return False
        self._calm, self._patience = 0, min(2 * self._patience, CALM_WINDOWS_MAX)
        self._steps_back = step - self._best - 1
        return True

    def _take_step_back(self) -> bool:
        self._calm = 0
        step = self._step()
        self._steps_back = min(self._steps_back + 1, len(STEPS) - 1)
        return self._step() != step

    def _step(self) -> int:
        return min(self._best + self._steps_back, len(STEPS) - 1)


def _most(step: int) -> float:
    """Of the time between two pictures, with a step's preset."""
    return BUSY_SHARE if step else SPARE_SHARE
