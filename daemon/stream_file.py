"""A stream in Matroska, as it travels: access units with their side information, as they are."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer

from daemon.hvcc import configuration, with_lengths
from daemon.matroska import open_recording
from daemon.pts import Timestamps
from daemon.split import Split
from link.access_unit import AccessUnit

MILLISECOND = Fraction(1, 1000)


class StreamFile:
    """Writes access units, timed by their capture.

    The file begins with the first IRAP that has its parameter sets, which become the header; what
    comes before it is left out. Raises OSError or av.FFmpegError when the disk refuses.
    """

    def __init__(self, wanted: Path, *, numbered: bool = False) -> None:
        self._file = open_recording(wanted, numbered=numbered)
        self._stream: av.VideoStream | None = None
        self._times = Timestamps()

    @property
    def path(self) -> Path:
        return self._file.path

    def is_over(self, split: Split | None) -> bool:
        """Whether the next IRAP begins another file."""
        return split is not None and split.is_due(self._times.last_ms, self._file.size_bytes)

    def write(self, unit: AccessUnit, captured_us: int) -> bool:
        """Append an access unit that was captured at that Unix time; false without an IRAP yet."""
        if self._stream is None:
            record = configuration(unit.data) if unit.irap else None
            if record is None:
                return False
            self._stream = self._start(unit.data, record)
        packet = av.Packet(with_lengths(unit.data))
        packet.stream = self._stream
        packet.time_base = MILLISECOND
        packet.pts = packet.dts = self._times.at(captured_us)
        packet.is_keyframe = unit.irap
        self._file.container.mux(packet)
        return True

    def close(self) -> None:
        self._file.close()

    def _start(self, irap: bytes, record: bytes) -> av.VideoStream:
        with av.open(io.BytesIO(irap), format="hevc") as probe:
            assert isinstance(probe, InputContainer)
            stream = self._file.container.add_stream_from_template(probe.streams.video[0])
        assert isinstance(stream, av.VideoStream)
        stream.codec_context.extradata = record
        stream.time_base = MILLISECOND
        return stream
