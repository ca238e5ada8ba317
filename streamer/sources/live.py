"""Frames of a source that runs by itself: a camera, over a cable or the network."""

from __future__ import annotations

from engines.frame import Frame, planes_from_video_frame
from link.clock import Clock
from streamer.sources.cadence import Thinner
from streamer.sources.container import VideoInput, stream_size
from streamer.sources.source import SourceError, Wanted


class LiveSource:
    """Stamps each picture with the time it arrived, and thins them out to the wanted rate.

    A picture of another size than the first is rescaled to it. Raises SourceError when no
    picture comes.
    """

    live = True

    def __init__(self, name: str, video: VideoInput, wanted: Wanted, clock: Clock) -> None:
        self.name = name
        self._input = video
        self._clock = clock
        self.fps = min(wanted.fps or video.fps, video.fps)
        self._thinner = Thinner(self.fps, video.fps) if self.fps < video.fps else None
        picture = video.next_picture()
        if picture is None:
            raise SourceError(f"{name} sends no picture")
        self._number = -1
        self.size = stream_size(picture, wanted.size)

    def read(self) -> Frame | None:
        while True:
            picture = self._input.next_picture()
            if picture is None:
                raise SourceError(f"{self.name} ended")
            self._number += 1
            captured_us = self._clock()
            if self._thinner is None or self._thinner.takes(captured_us):
                planes = planes_from_video_frame(picture, self.size)
                return Frame(planes, self._number, captured_us)

    def close(self) -> None:
        self._input.close()
