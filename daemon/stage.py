"""A stage of a daemon that runs in a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

_log = logging.getLogger(__name__)


class Stage:
    """Runs `work` in a thread; what it raises goes to `failed` and ends only this stage."""

    def __init__(
        self, name: str, work: Callable[[], None], failed: Callable[[BaseException], None]
    ) -> None:
        self._work = work
        self._failed = failed
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:
            _log.debug("%s failed", self._thread.name, exc_info=error)
            self._failed(error)

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for its end; false if it still runs after `timeout_s`."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()
