"""From what the user typed to a source: file, camera, RTSP or the built-in scene."""

from __future__ import annotations

import re
from pathlib import Path

from daemon.errors import UsageError
from link.clock import Clock, unix_us
from streamer.sources.camera import open_camera
from streamer.sources.demo import DemoSource
from streamer.sources.file import FileSource
from streamer.sources.rtsp import open_rtsp
from streamer.sources.source import Source, Wanted

DEMO = "demo:"
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+):(?://)?", re.IGNORECASE)
_DEVICE = re.compile(r"/dev/video\d+")
_FORMS = "a file, rtsp://..., v4l2:///dev/videoN or demo:"


def open_source(
    spec: str,
    size: tuple[int, int] | None = None,
    fps: float | None = None,
    loop: bool = False,
    *,
    paced: bool = True,
    input_format: str | None = None,
    clock: Clock = unix_us,
) -> Source:
    """Open a source; `Wanted` says what the arguments mean.

    Raises UsageError (typing something else helps) or SourceError (it may come later).
    """
    wanted = Wanted(size, fps, loop, paced, input_format)
    scheme = _scheme(spec)
    rest = spec[len(scheme) + 1 :].removeprefix("//") if scheme else spec
    if scheme == "demo":
        return DemoSource(wanted, clock)
    if scheme in ("rtsp", "rtsps"):
        return open_rtsp(spec, wanted, clock)
    if scheme == "v4l2" or _DEVICE.fullmatch(rest):
        return open_camera(rest, wanted, clock)
    if scheme in ("", "file"):
        return FileSource(Path(rest).expanduser(), wanted, clock)
    raise UsageError(f"unknown kind of source {spec!r}: give {_FORMS}")


def is_live(spec: str) -> bool:
    """Whether the source runs by itself, so that frames are lost if nobody takes them."""
    return _scheme(spec) in ("rtsp", "rtsps", "v4l2") or bool(_DEVICE.fullmatch(spec))


def _scheme(spec: str) -> str:
    match = _SCHEME.match(spec)
    return match[1].lower() if match else ""
