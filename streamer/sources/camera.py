"""A camera at this machine, through Video4Linux2."""

from __future__ import annotations

from pathlib import Path

import av

from daemon.errors import DaemonError, UsageError
from link.clock import Clock
from streamer.sources.container import VideoInput, reason
from streamer.sources.live import LiveSource
from streamer.sources.source import SourceError, Wanted

DEVICES = Path("/dev")
NAMES = Path("/sys/class/video4linux")


def open_camera(device: str, wanted: Wanted, clock: Clock) -> LiveSource:
    """Open `/dev/videoN` at the wanted size and rate, or what the driver has nearest to it.

    Raises UsageError when there is no such device or no right to it, and SourceError when it
    is there and fails.
    """
    if not Path(device).exists():
        raise UsageError(f"there is no camera {device}; {_present()}")
    try:
        video = _open_v4l2(device, _options(wanted))
    except PermissionError as error:
        raise UsageError(
            f"no right to open {device}: add this user to the group that owns it (often `video`)"
        ) from error
    except (av.FFmpegError, OSError) as error:
        raise SourceError(f"cannot open {device}: {reason(error)}") from error
    try:
        return LiveSource(device, video, wanted, clock)
    except DaemonError:
        video.close()
        raise


def devices() -> list[str]:
    """The video devices of this machine, each with the name its driver gives it."""
    found = [path for path in DEVICES.glob("video*") if path.name[5:].isdecimal()]
    return [_described(path) for path in sorted(found, key=lambda path: int(path.name[5:]))]


def _open_v4l2(device: str, options: dict[str, str]) -> VideoInput:
    """The one line that needs a real camera."""
    return VideoInput(device, format="v4l2", options=options)


def _options(wanted: Wanted) -> dict[str, str]:
    options = {}
    if wanted.size is not None:
        options["video_size"] = f"{wanted.size[0]}x{wanted.size[1]}"
    if wanted.fps is not None:
        options["framerate"] = f"{wanted.fps:g}"
    if wanted.input_format is not None:
        options["input_format"] = wanted.input_format
    return options


def _described(path: Path) -> str:
    try:
        name = (NAMES / path.name / "name").read_text(errors="replace").strip()
    except OSError:
        return str(path)
    return f"{path} ({name})"


def _present() -> str:
    found = devices()
    return f"there are: {', '.join(found)}" if found else "this machine has no /dev/video* at all"
