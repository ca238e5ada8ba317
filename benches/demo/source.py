"""The source, read again: the same frames by number that the streamer captured."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from benches import BenchError
from benches.demo.live import Setting
from daemon.errors import DaemonError
from engines.frame import Frame, Planes
from streamer.sources.open import DEMO, open_source

FPS = 25.0  # of the demo scene
FILE_FPS_MAX = 30.0


def size_and_fps(source: str) -> tuple[tuple[int, int] | None, float]:
    """A file's size (None for the demo scene) and the frame rate to stream it at.

    Raises BenchError when the file cannot be played.
    """
    if source == DEMO:
        return None, FPS
    try:
        opened = open_source(source, paced=False)
        opened.close()
    except DaemonError as error:
        raise BenchError(str(error)) from error
    return opened.size, min(opened.fps, FILE_FPS_MAX)


def frames(setting: Setting) -> Iterator[Frame]:
    """The source's frames from number 0 on, as fast as they come. Raises BenchError."""
    try:
        source = open_source(
            setting.source, (setting.width, setting.height), setting.fps, True, paced=False
        )
        try:
            while (frame := source.read()) is not None:
                yield frame
        finally:
            source.close()
    except DaemonError as error:
        raise BenchError(str(error)) from error


def planes_by_number(setting: Setting, numbers: Collection[int]) -> dict[int, Planes]:
    """The planes of the frames with these numbers; one that does not come again is left out."""
    last = max(numbers)
    found: dict[int, Planes] = {}
    for frame in frames(setting):
        if frame.number in numbers:
            found[frame.number] = frame.planes
        if frame.number >= last:
            break
    return found
