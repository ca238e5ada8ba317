"""What a recording does when the disk refuses: say so once, try again, resume in the next file."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import av

from daemon.errors import UsageError
from daemon.figures import Figures
from daemon.log import event
from daemon.matroska import has_room

RETRY_US = 2_000_000  # until the disk is tried again
# A disk that is full or read-only, or a folder that is: to be mended while the view goes on.
PASSING = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}
WRITE_ERRORS = (OSError, av.FFmpegError, UsageError)

Opened = TypeVar("Opened")

_log = logging.getLogger(__name__)


class Persistence:
    """Decides when to write; live (`persists`) for ever, else the first error is the last.

    `clock` counts microseconds.
    """

    def __init__(
        self, name: str, path: Path, figures: Figures, clock: Callable[[], int], *, persists: bool
    ) -> None:
        self._name = name
        self._path = path
        self._figures = figures
        self._clock = clock
        self._persists = persists
        self._retry_us: int | None = None

    def first(self, open_file: Callable[[], Opened]) -> Opened | None:
        """What `open_file` opens at the start; None where it is to be tried again later.

        Raises UsageError where the user can mend it, and whatever it is unless this persists.
        """
        try:
            return open_file()
        except UsageError as error:
            cause = error.__cause__
            passes = isinstance(cause, OSError) and cause.errno in PASSING
            if not (passes and self._persists):
                raise
            self._failed(error, lambda: None)
            return None

    def write(self, write: Callable[[], None], close: Callable[[], None]) -> None:
        """Call `write`, or skip it while the disk refuses; after an error call `close`.

        What `write` raises is raised again unless this recording persists.
        """
        if not self._may_write():
            self._figures.add(f"{self._name}_errors")
            return
        try:
            write()
            if self._retry_us is not None:
                event(_log, f"{self._name} goes on", file=self._path)
            self._retry_us = None
        except WRITE_ERRORS as error:
            self._failed(error, close)
            if not self._persists:
                raise

    def _may_write(self) -> bool:
        if self._retry_us is None:
            return True
        if self._clock() < self._retry_us:
            return False
        self._retry_us = self._clock() + RETRY_US
        return has_room(self._path)

    def _failed(self, error: Exception, close: Callable[[], None]) -> None:
        self._figures.add(f"{self._name}_errors")
        if self._retry_us is None and self._persists:
            event(
                _log,
                f"{self._name} stopped: {error}; trying again every {RETRY_US / 1e6:g} s",
                level=logging.ERROR,
                file=self._path,
            )
        self._retry_us = self._clock() + RETRY_US
        try:
            close()
        except WRITE_ERRORS:
            self._figures.add(f"{self._name}_errors")
