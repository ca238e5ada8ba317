"""The recording that is started and stopped while the viewer runs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from daemon.log import event
from daemon.stage import Stage
from viewer.picture import Shown
from viewer.sinks.record import Record
from viewer.sinks.sink import CLOSE_TIMEOUT_S

PATIENCE_S = 5.0  # with a disk, of who starts and stops
HANGS = "the disk does not answer: what was asked for first is done when it does"

_log = logging.getLogger(__name__)


class RecordSwitch:
    """A sink around `Record`: each start begins another file. `open_record` None: it cannot.

    `start`, `stop` and `close` may be called from any thread. They wait for the disk, but raise
    TimeoutError when it hangs; what was asked for first is done when it goes on.
    """

    name = Record.name
    capacity = Record.capacity

    def __init__(
        self, open_record: Callable[[], Record] | None, *, on: bool = False, later: bool = False
    ) -> None:
        """`on`: at once, or `later`, when the first picture comes.

        Raises UsageError when it is to be on at once and the file cannot be made.
        """
        self._open_record = open_record
        self._lock = threading.Lock()
        self._record: Record | None = None
        self._starts_later = on and later
        self._hanging: Stage | None = None  # what the disk held up last
        if on and not later:
            self._begin()

    @property
    def is_available(self) -> bool:
        return self._open_record is not None

    @property
    def is_on(self) -> bool:
        return self._record is not None

    @property
    def file_name(self) -> str | None:
        """Of the file under way; none while the disk refuses."""
        record = self._record
        return None if record is None else record.file_name

    def start(self) -> None:
        """Begins a file, unless one is under way. Raises UsageError when it cannot be made."""
        self._await(self._begin, PATIENCE_S)

    def stop(self) -> None:
        """Finishes the file under way."""
        self._await(self._finish, PATIENCE_S)

    def show(self, value: Shown) -> None:
        if self._starts_later:
            self._starts_later = False
            self._begin()
        with self._lock:
            if self._record is not None:
                self._record.show(value)

    def close(self, patience_s: float = CLOSE_TIMEOUT_S) -> None:
        """The last picture is written; a page that lives a little longer starts no more."""
        self._open_record = None
        if self._hanging is not None:
            self._hanging.join(patience_s)
        self._await(self._finish, patience_s)

    def _begin(self) -> None:
        with self._lock:
            if self._record is None and self._open_record is not None:
                self._record = self._open_record()

    def _finish(self) -> None:
        with self._lock:
            self._starts_later = False
            record, self._record = self._record, None
            if record is not None:
                record.close()

    def _await(self, work: Callable[[], None], patience_s: float) -> None:
        """Raises what `work` raises. It has a thread of its own, to be left behind: one of the
        event loop's would keep the viewer from ending."""
        if self._is_hanging():
            raise TimeoutError(HANGS)
        file_name, errors = self.file_name, list[BaseException]()
        stage = Stage("recording", work, errors.append)
        if not stage.join(patience_s):
            if not self._is_hanging():
                event(_log, "a recording hangs", level=logging.ERROR, file=file_name)
            self._hanging = stage
            raise TimeoutError(HANGS)
        if errors:
            raise errors[0]

    def _is_hanging(self) -> bool:
        return self._hanging is not None and not self._hanging.join(0)
