"""The recording that is started and stopped while the viewer runs."""

from __future__ import annotations

import threading
from collections.abc import Callable

from viewer.picture import Shown
from viewer.sinks.record import Record


class RecordSwitch:
    """A sink around `Record`: each start begins another file. `open_record` None: it cannot.

    `start` and `stop` may be called from any thread, and block like the disk.
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
        if on and not later:
            self.start()

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
        with self._lock:
            if self._record is None and self._open_record is not None:
                self._record = self._open_record()

    def stop(self) -> None:
        """Finishes the file under way."""
        with self._lock:
            self._starts_later = False
            record, self._record = self._record, None
            if record is not None:
                record.close()

    def show(self, value: Shown) -> None:
        if self._starts_later:
            self._starts_later = False
            self.start()
        with self._lock:
            if self._record is not None:
                self._record.show(value)

    def close(self) -> None:
        """The last picture is written; a page that lives a little longer starts no more."""
        self._open_record = None
        self.stop()
