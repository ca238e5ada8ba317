"""Matroska files that stay playable whatever happens to the process, and never replace another."""

from __future__ import annotations

import errno
import itertools
import logging
import os
import shutil
from pathlib import Path

import av
from av.container import OutputContainer

from daemon.errors import UsageError
from daemon.log import event

ROOM_MIN_BYTES = 16 << 20
CLUSTER_MS = 500  # written out at least this often: what kill -9 may cost
_OPTIONS = {"flush_packets": "1", "cluster_time_limit": str(CLUSTER_MS)}

_log = logging.getLogger(__name__)


class _File:
    """An unbuffered file: what is written has left the process. Raises OSError when full."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("xb", buffering=0)

    def write(self, data: bytes) -> int:
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) :]
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._file.close()


class MatroskaFile:
    """A new file at `wanted`, or at the next free of `wanted-1`, `wanted-2` and so on.

    The streams are added to `container` by the caller. Raises OSError when the file cannot be
    made.
    """

    def __init__(self, wanted: Path) -> None:
        self.path, self._file = _create(wanted)
        container = av.open(self._file, "w", format="matroska", options=_OPTIONS)
        assert isinstance(container, OutputContainer)
        self.container = container

    @property
    def size_bytes(self) -> int:
        return self.path.stat().st_size

    def close(self) -> None:
        """Write the index and close; a file that never held a picture is removed.

        Raises OSError or av.FFmpegError when the disk refuses; the file is closed all the same,
        and playable without its index.
        """
        try:
            self.container.close()
        finally:
            self._file.close()
            if self.path.exists() and not self.size_bytes:
                self.path.unlink()


def open_recording(wanted: Path) -> MatroskaFile:
    """A recording that the user asked for. Raises UsageError when it cannot be written."""
    try:
        file = MatroskaFile(wanted)
    except OSError as error:
        raise UsageError(f"cannot write the recording {wanted}: {error.strerror}") from error
    if file.path != wanted:
        event(_log, f"{wanted} exists and is kept: recording to {file.path}")
    return file


def has_room(path: Path) -> bool:
    """Whether it is worth starting a new file where `path` would be."""
    try:
        return shutil.disk_usage(path.parent).free >= ROOM_MIN_BYTES
    except OSError:
        return False


def _create(wanted: Path) -> tuple[Path, _File]:
    if wanted.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(wanted))
    for number in itertools.count():
        path = wanted.with_stem(f"{wanted.stem}-{number}") if number else wanted
        try:
            return path, _File(path)
        except FileExistsError:
            continue
    raise AssertionError("the numbers ended")
