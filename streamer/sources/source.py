"""What a source of pictures is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from daemon.errors import RunError
from engines.frame import Frame

DEFAULT_FPS = 25.0
MIN_FPS, MAX_FPS = 1.0, 240.0


class SourceError(RunError):
    """The source failed; one that is live may come back when it is opened again."""


@dataclass(frozen=True)
class Wanted:
    """What the stream asks of its source; None leaves it to the source."""

    size: tuple[int, int] | None = None  # (width, height), pixels
    fps: float | None = None  # at most
    loop: bool = False  # a file starts again at its end
    paced: bool = True  # a file keeps real time; without it, as fast as it is read
    input_format: str | None = None  # of a camera: mjpeg, yuyv422, ...


class Source(Protocol):
    """Pictures at one size and frame rate; used by one thread, and closed by it."""

    @property
    def name(self) -> str: ...

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of every frame, pixels."""
        ...

    @property
    def fps(self) -> float:
        """The frame rate it aims at; fewer may come."""
        ...

    @property
    def live(self) -> bool:
        """Frames come when they come, and a source that failed may be opened again."""
        ...

    def read(self) -> Frame | None:
        """The next frame, waiting for it; None at the end. Raises SourceError."""
        ...

    def close(self) -> None: ...
