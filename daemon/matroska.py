"""Matroska files that stay playable whatever happens to the process, and never replace another."""

from __future__ import annotations

import errno
import logging
import os
import re
import shutil
from pathlib import Path

import av
from av.container import OutputContainer

from daemon.errors import UsageError
from daemon.free_names import free_names, numbered_names
from daemon.log import event

ROOM_MIN_BYTES = 16 << 20
DIGITS = 5  # of the numbers in the names of a split recording
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

    One of many is `numbered`: `wanted-00001` or, where there are some, the one after the last. The
    streams are added to `container` by the caller. Raises OSError when the file cannot be made.
    """

    def __init__(self, wanted: Path, *, numbered: bool = False) -> None:
        self.path, self._file = _create(wanted, numbered)
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


def open_recording(wanted: Path, *, numbered: bool = False) -> MatroskaFile:
    """A recording that the user asked for. Raises UsageError when it cannot be written."""
    try:
        file = MatroskaFile(wanted, numbered=numbered)
    except OSError as error:
        raise UsageError(f"cannot write the recording {wanted}: {error.strerror}") from error
    if file.path != wanted and not numbered:
        event(_log, f"{wanted} exists and is kept: recording to {file.path}")
    return file


def has_room(path: Path) -> bool:
    """Whether it is worth starting a new file where `path` would be."""
    try:
        return shutil.disk_usage(path.parent).free >= ROOM_MIN_BYTES
    except OSError:
        return False


def _create(wanted: Path, numbered: bool) -> tuple[Path, _File]:
    if wanted.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(wanted))
    names = free_names(wanted)
    if numbered:
        names = numbered_names(wanted, _last_number(wanted) + 1, DIGITS)
    for path in names:
        try:
            file = _File(path)
        except FileExistsError:
            continue
        return path, file
    raise AssertionError("the numbers ended")


def _last_number(wanted: Path) -> int:
    """The highest number that a file of this name has here, or 0."""
    form = re.compile(rf"{re.escape(wanted.stem)}-(\d{{{DIGITS},9}}){re.escape(wanted.suffix)}")
    matches = (form.fullmatch(path.name) for path in wanted.parent.iterdir())
    return max((int(match[1]) for match in matches if match), default=0)
