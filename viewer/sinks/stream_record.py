"""The stream as it was received, in Matroska, without re-encoding."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import av

from daemon.log import event
from daemon.stream_file import StreamFile
from viewer.timeline import Stamped

_log = logging.getLogger(__name__)


class StreamRecord:
    """Writes access units with their side information, timed by capture.

    It starts at an IRAP, and after a loss it goes on at the next one, so that every picture in
    the file decodes.
    """

    name = "record_stream"
    capacity = 256  # access units: small, and each one lost costs all up to the next IRAP

    def __init__(self, path: Path) -> None:
        self._file = StreamFile(path)
        self._next_sequence = -1

    def show(self, value: Stamped) -> None:
        follows = value.sequence == self._next_sequence and not value.unit.gap_before
        begins = value.unit.irap and (self._next_sequence >= 0 or _is_whole(value.unit.data))
        if follows or begins:
            self._file.write(value.unit, value.captured_us)
            self._next_sequence = value.sequence + 1

    def close(self) -> None:
        self._file.close()
        if self._next_sequence >= 0:
            event(_log, "stream recorded", file=self._file.path)


def _is_whole(irap: bytes) -> bool:
    """Whether its parameter sets can be read: the header of the file is made of them."""
    try:
        with av.open(io.BytesIO(irap), format="hevc") as probe:
            return bool(probe.streams.video[0].width)
    except (av.FFmpegError, IndexError):
        return False
