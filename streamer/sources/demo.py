"""The built-in scene as a source, for a first run without a camera."""

from __future__ import annotations

from engines.frame import Frame, Planes
from link.clock import Clock
from streamer.sources.cadence import Pacer
from streamer.sources.scene.yard import yard
from streamer.sources.source import DEFAULT_FPS, Wanted

DEFAULT_SIZE = (848, 480)


def demo_planes(number: int, size: tuple[int, int], fps: float) -> Planes:
    """Frame `number` of the scene: the same planes for the same arguments.

    Raises UsageError when scikit-image is not installed.
    """
    return yard(*size).picture(number / fps, number)


class DemoSource:
    """The scene in real time, or as fast as it is read; it never ends."""

    live = False
    name = "demo:"

    def __init__(self, wanted: Wanted, clock: Clock) -> None:
        self.size = wanted.size or DEFAULT_SIZE
        self.fps = wanted.fps or DEFAULT_FPS
        yard(*self.size)
        self._pacer = Pacer(self.fps, paced=wanted.paced, clock=clock)
        self._number = -1

    def read(self) -> Frame | None:
        self._number += 1
        while not self._pacer.due(self._number):
            self._number += 1
        planes = demo_planes(self._number, self.size, self.fps)
        return Frame(planes, self._number, self._pacer.captured_us(self._number))

    def close(self) -> None:
        """Nothing to close: the scene stays for the next one."""
