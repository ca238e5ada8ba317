"""Pictures out of anything that FFmpeg opens: files, RTSP, V4L2."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping

import av

from daemon.av_input import open_input
from daemon.errors import UsageError
from daemon.log import event
from engines.latent import SOURCE_MAX_HEIGHT, SOURCE_MAX_WIDTH, SOURCE_MIN
from streamer.sources.source import DEFAULT_FPS, MAX_FPS, MIN_FPS, SourceError

BROKEN_PACKETS_MAX = 250  # in a row, then the source is given up

_log = logging.getLogger(__name__)


class NoVideoError(SourceError):
    """It opens, yet no picture comes out of it."""


class VideoInput:
    """The first video stream of a container, one decoded picture after another.

    Opening raises av.FFmpegError or OSError as FFmpeg gives them (the sources know what they mean
    to the user), and NoVideoError.
    """

    def __init__(
        self,
        url: str,
        *,
        format: str | None = None,
        options: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        threads: int = 1,
    ) -> None:
        container = open_input(url, format=format, options=options, timeout_s=timeout_s)
        self._container = container
        if not container.streams.video:
            container.close()
            raise NoVideoError("there is no video in it")
        self._stream = container.streams.video[0]
        self._stream.codec_context.thread_count = threads
        self._pictures = self._decoded()

    @property
    def fps(self) -> float:
        """The source's own frame rate, or the default where it does not say a sensible one."""
        rate = self._stream.average_rate or self._stream.guessed_rate
        return float(rate) if rate and MIN_FPS <= rate <= MAX_FPS else DEFAULT_FPS

    def next_picture(self) -> av.VideoFrame | None:
        """The next picture; None at the end. Raises SourceError when the source fails."""
        try:
            return next(self._pictures, None)
        except (av.FFmpegError, OSError) as error:
            raise SourceError(reason(error)) from error

    def close(self) -> None:
        self._container.close()

    def _decoded(self) -> Iterator[av.VideoFrame]:
        broken = 0
        for packet in self._container.demux(self._stream):
            try:
                pictures = packet.decode()
            except av.InvalidDataError as error:
                broken += 1
                if broken == 1:
                    event(_log, "damaged data in the source is skipped", level=logging.WARNING)
                if broken >= BROKEN_PACKETS_MAX:
                    raise SourceError("its data do not decode") from error
                continue
            for picture in pictures:
                broken = 0
                assert isinstance(picture, av.VideoFrame)
                yield picture


def stream_size(picture: av.VideoFrame, wanted: tuple[int, int] | None) -> tuple[int, int]:
    """The size of the stream: as asked for, or the first picture's own.

    Raises UsageError when the picture's own size cannot be streamed.
    """
    if wanted is not None:
        return wanted
    width, height = picture.width, picture.height
    if not (SOURCE_MIN <= width <= SOURCE_MAX_WIDTH and SOURCE_MIN <= height <= SOURCE_MAX_HEIGHT):
        raise UsageError(
            f"the source's pictures are {width}x{height}, outside of {SOURCE_MIN}x{SOURCE_MIN} to "
            f"{SOURCE_MAX_WIDTH}x{SOURCE_MAX_HEIGHT}: give a --size"
        )
    return width, height


def reason(error: Exception) -> str:
    """What an error of FFmpeg or of the system says, without its number and its file."""
    return getattr(error, "strerror", None) or str(error)
