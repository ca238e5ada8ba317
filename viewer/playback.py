"""A stream file of `denc-stream --output` or `denc-view --record-stream`, played again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
from av.bitstream import BitStreamFilterContext
from av.container import InputContainer

from daemon.av_input import open_input
from daemon.errors import UsageError
from daemon.log import event
from daemon.stage import Stage
from link.access_unit import AccessUnit
from link.clock import Clock
from link.nal import is_irap, join_annexb, split_annexb
from link.sequence import RTP_CLOCK_HZ
from viewer.decode import Decoding
from viewer.timeline import RTP_MODULUS

# Playlists are "video files" to FFmpeg too: whatever the file names, nothing comes from a network.
_ONLY_FILES = {"protocol_whitelist": "file"}

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FileUnit:
    """An access unit of a file; an IRAP has its parameter sets in front, once."""

    data: bytes  # Annex B
    size_bytes: int  # in the file
    time_s: float  # since the file's zero
    irap: bool


class StreamFile:
    """The access units of any file with H.265 that FFmpeg reads, in order."""

    def __init__(self, path: Path) -> None:
        """Raises UsageError when it is missing, no video file, or holds no H.265."""
        self._path = path
        self._packets = 0
        with self._open() as container:
            try:
                for packet in container.demux(video=0):
                    self._packets += packet.size > 0
            except av.FFmpegError as error:
                event(
                    _log,
                    f"{path} is damaged: {error}; restoring what is before",
                    level=logging.WARNING,
                )
        if not self._packets:
            raise UsageError(f"{path} holds no pictures")

    def __len__(self) -> int:
        return self._packets

    def __iter__(self) -> Iterator[FileUnit]:
        with self._open() as container:
            stream = container.streams.video[0]
            time_s = 0.0
            try:
                to_annexb = BitStreamFilterContext("hevc_mp4toannexb", stream)
                for packet in container.demux(stream):
                    if packet.size == 0:
                        continue
                    size_bytes = packet.size
                    if packet.pts is not None and packet.time_base is not None:
                        time_s = float(packet.pts * packet.time_base)
                    for converted in to_annexb.filter(packet):
                        nals = _once(split_annexb(bytes(converted)))
                        irap = any(is_irap(nal) for nal in nals)
                        yield FileUnit(join_annexb(nals), size_bytes, time_s, irap)
            except av.FFmpegError as error:
                event(_log, "end of what can be read", level=logging.DEBUG, reason=str(error))

    def _open(self) -> InputContainer:
        try:
            container = open_input(str(self._path), options=_ONLY_FILES)
        except OSError as error:
            raise UsageError(f"cannot read {self._path}: {error.strerror}") from error
        except av.FFmpegError as error:
            raise UsageError(f"{self._path} is no video file: {error.strerror}") from error
        videos = container.streams.video
        codec = videos[0].codec_context if videos else None  # None too for a codec unknown here
        if codec is None or codec.name != "hevc":
            container.close()
            raise UsageError(f"{self._path} is no stream file: it holds no H.265 video")
        return container


class Playback:
    """Feeds a file to the decoder, `paced` in real time or as fast as that takes it."""

    def __init__(
        self,
        file: StreamFile,
        decoding: Decoding,
        *,
        paced: bool,
        clock: Clock,
        ended: Callable[[], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._file = file
        self._decoding = decoding
        self._paced = paced
        self._clock = clock
        self._ended = ended
        self._stop = threading.Event()
        decoding.begin(lambda: None)
        self._stage = Stage("playback", self._run, failed)

    def close(self) -> None:
        """Stop reading."""
        self._stop.set()
        self._stage.join()

    def _run(self) -> None:
        start_us: int | None = None
        for unit in self._file:
            now_us = self._clock()
            due_us = round(unit.time_s * 1e6)
            if start_us is None:
                start_us = now_us - due_us
            if self._paced:
                self._stop.wait(max(0, start_us + due_us - now_us) / 1e6)
            if self._stop.is_set():
                return
            self._decoding.put(self._access_unit(unit), unit.size_bytes)
        self._ended()

    def _access_unit(self, unit: FileUnit) -> AccessUnit:
        return AccessUnit(
            data=unit.data,
            rtp_timestamp=round(unit.time_s * RTP_CLOCK_HZ) % RTP_MODULUS,
            irap=unit.irap,
            received_us=self._clock(),
        )


def _once(nals: list[bytes]) -> list[bytes]:
    """Without the header's parameter sets where the stream itself repeats them later."""
    return list(dict.fromkeys(reversed(nals)))[::-1]
