"""A network camera, through RTSP over TCP."""

from __future__ import annotations

import re

import av

from daemon.errors import DaemonError
from link.clock import Clock
from streamer.sources.container import VideoInput, reason
from streamer.sources.live import LiveSource
from streamer.sources.source import SourceError, Wanted

TIMEOUT_S = 5.0  # of opening, and of waiting for the next packet
_OPTIONS = {"rtsp_transport": "tcp", "fflags": "nobuffer", "flags": "low_delay"}


def open_rtsp(url: str, wanted: Wanted, clock: Clock) -> LiveSource:
    """Open `rtsp://[USER:PASSWORD@]HOST[:PORT]/PATH`.

    Raises SourceError for what may come right by itself: a camera on the network may come up later.
    Raises UsageError for pictures of a size that cannot be streamed.
    """
    name = without_password(url)
    try:
        video = VideoInput(url, options=_OPTIONS, timeout_s=TIMEOUT_S)
    except (av.FFmpegError, OSError) as error:
        raise SourceError(f"cannot open {name}: {reason(error)}") from error
    try:
        return LiveSource(name, video, wanted, clock)
    except DaemonError:
        video.close()
        raise


def without_password(url: str) -> str:
    """The URL as it may be logged."""
    return re.sub(r"^(\w[\w+.-]*://).*@", r"\1", url)
