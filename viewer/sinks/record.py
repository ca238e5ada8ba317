"""The restored video as a Matroska recording (H.264)."""

from __future__ import annotations

import logging
from fractions import Fraction
from pathlib import Path

import av

from daemon.figures import Figures
from daemon.log import event
from daemon.matroska import MatroskaFile, open_recording
from daemon.persistence import Persistence
from daemon.pts import Timestamps
from daemon.split import Split
from engines.frame import Planes, planes_to_video_frame
from link.clock import Clock
from viewer.picture import Shown
from viewer.sinks.colours import tell_colours
from viewer.sinks.even import even

MILLISECOND = Fraction(1, 1000)
NOMINAL_FPS = 25  # a Matroska header wants one; the timestamps are the capture times
ENCODER_OPTIONS = {
    "high": {"preset": "veryfast", "crf": "18", "tune": "zerolatency"},
    "lossless": {"preset": "ultrafast", "qp": "0", "tune": "zerolatency"},
}

_log = logging.getLogger(__name__)


class Record:
    """Writes every picture once, timed by its capture; a new size starts a new file, and so does
    what `split` says.

    With `persists` (live) a write error closes the file, is told once, and recording resumes in
    the next free file when the disk takes it; without, the error is raised.
    """

    name = "record"
    capacity = 16

    def __init__(
        self,
        path: Path,
        quality: str,
        figures: Figures,
        clock: Clock,
        *,
        persists: bool,
        split: Split | None = None,
    ) -> None:
        self._path = path
        self._split = split
        self._options = ENCODER_OPTIONS[quality]
        self._persistence = Persistence(self.name, path, figures, clock, persists=persists)
        self._file: MatroskaFile | None = self._persistence.first(self._open)
        self._stream: av.VideoStream | None = None
        self._times = Timestamps()

    def show(self, value: Shown) -> None:
        self._persistence.write(lambda: self._write(value), self.close)

    @property
    def file_name(self) -> str | None:
        """Of the file under way."""
        return self._file.path.name if self._file is not None else None

    def close(self) -> None:
        """Write what the encoder still holds, and the index."""
        file, stream = self._file, self._stream
        self._file = self._stream = None
        if file is None:
            return
        try:
            if stream is not None:
                file.container.mux(stream.encode(None))
        finally:
            file.close()
            if stream is not None:
                event(_log, "recorded", file=file.path)

    def _write(self, shown: Shown) -> None:
        planes = even(shown.frame.planes)
        if self._stream is not None and self._is_over(self._stream, planes):
            self.close()
        file = self._file = self._file or self._open()
        stream = self._stream = self._stream or self._start(file, planes)
        picture = planes_to_video_frame(planes)
        picture.pts = self._times.at(shown.frame.captured_us)
        picture.time_base = MILLISECOND
        file.container.mux(stream.encode(picture))

    def _open(self) -> MatroskaFile:
        return open_recording(self._path, numbered=self._split is not None)

    def _is_over(self, stream: av.VideoStream, planes: Planes) -> bool:
        """Whether this picture begins another file."""
        assert self._file is not None
        if (stream.width, stream.height) != (planes.width, planes.height):
            return True
        return self._split is not None and self._split.is_due(
            self._times.last_ms, self._file.size_bytes
        )

    def _start(self, file: MatroskaFile, planes: Planes) -> av.VideoStream:
        stream = file.container.add_stream("libx264", rate=NOMINAL_FPS, options=self._options)
        stream.width, stream.height, stream.pix_fmt = planes.width, planes.height, "yuv420p"
        context = stream.codec_context
        context.time_base = MILLISECOND
        tell_colours(context)
        self._times = Timestamps()
        return stream
