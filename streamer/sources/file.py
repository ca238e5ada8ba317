"""A video file as a source."""

from __future__ import annotations

import logging
from pathlib import Path

import av

from daemon.errors import UsageError
from daemon.log import event
from engines.frame import Frame, planes_from_video_frame
from link.clock import Clock
from streamer.sources.cadence import Pacer
from streamer.sources.container import NoVideoError, VideoInput, reason, stream_size
from streamer.sources.source import SourceError, Wanted

JUMP_S = 60.0  # a longer gap in a file's time is no pause: it was put together from pieces

_log = logging.getLogger(__name__)


class FileSource:
    """Frames of a file, numbered by their time in it: number = round(time * fps).

    At a lower `fps` than the file's own the frames between are skipped; at the end it stops, or
    starts again with the numbers going on. Raises UsageError when the file cannot be played.
    """

    live = False

    def __init__(self, path: Path, wanted: Wanted, clock: Clock) -> None:
        self.name = str(path)
        self._path = path
        self._loop = wanted.loop
        self._input = self._open()
        self.fps = min(wanted.fps or self._input.fps, self._input.fps)
        picture = self._first_picture()
        self._first: av.VideoFrame | None = picture
        self.size = stream_size(picture, wanted.size)
        self._pacer = Pacer(self.fps, paced=wanted.paced, clock=clock)
        self._origin_s: float | None = None  # file time of the first picture of this run
        self._base = 0  # number of the first frame of this run
        self._last, self._last_s = -1, 0.0

    def read(self) -> Frame | None:
        while True:
            picture = self._first or self._next_picture()
            self._first = None
            if picture is None:
                return None
            number = self._number(picture)
            if number <= self._last:
                continue
            self._last = number
            if self._pacer.due(number):
                planes = planes_from_video_frame(picture, self.size)
                return Frame(planes, number, self._pacer.captured_us(number))

    def close(self) -> None:
        self._input.close()

    def _open(self) -> VideoInput:
        try:
            return VideoInput(f"file:{self._path}", threads=0)
        except (av.FFmpegError, OSError, NoVideoError) as error:
            raise UsageError(f"cannot play {self._path}: {reason(error)}") from error

    def _first_picture(self) -> av.VideoFrame:
        try:
            picture = self._input.next_picture()
        except SourceError as error:
            raise UsageError(f"cannot play {self._path}: {error}") from error
        if picture is None:
            raise UsageError(f"cannot play {self._path}: no picture in it decodes")
        return picture

    def _next_picture(self) -> av.VideoFrame | None:
        """The next picture; None at the end, which a damaged file may have early."""
        try:
            picture = self._input.next_picture()
        except SourceError as error:
            event(_log, f"{self._path} breaks off: {error}", level=logging.WARNING)
            picture = None
        if picture is not None or not self._loop:
            return picture
        self._input.close()
        self._input = self._open()
        self._origin_s = None
        return self._first_picture()

    def _number(self, picture: av.VideoFrame) -> int:
        """The frame's number; where the file's time jumps, the numbers go on without a gap."""
        if picture.pts is None:  # a raw stream has no times: count
            return self._last + 1
        time_s = picture.time
        if self._origin_s is None or not 0 <= time_s - self._last_s <= JUMP_S:
            self._origin_s, self._base = time_s, self._last + 1
        self._last_s = time_s
        return self._base + round((time_s - self._origin_s) * self.fps)
