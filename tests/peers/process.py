"""A foreign program as a child that ends with its test, whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

LIFETIME_S = 60  # even if pytest itself is killed
END_TIMEOUT_S = 8.0
POLL_S = 0.05


class Process:
    """Its output goes to a log; leaving the block closes its input, signals it, then kills it."""

    def __init__(
        self,
        command: Sequence[object],
        log: Path,
        *,
        environment: Mapping[str, str] | None = None,
        ends_by_signal: signal.Signals | None = None,
    ) -> None:
        self._log = log
        self._signal = ends_by_signal
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                ["timeout", "--kill-after=2", str(LIFETIME_S), *map(str, command)],
                env={**os.environ, **(environment or {})},
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    def end(self) -> int:
        """Asks it to end as it is used to, and insists; its exit code. May be called twice."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        if self._signal is not None and self._process.poll() is None:
            self._process.send_signal(self._signal)
        try:
            return self._process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            return self._process.wait()

    def wait(self, timeout_s: float) -> int:
        """Until it has ended by itself; its exit code."""
        return self._process.wait(timeout_s)

    @property
    def log(self) -> str:
        """What it said so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def until_said(self, text: str, timeout_s: float) -> None:
        """Waits until this is in its log. Raises AssertionError with the end of the log."""
        deadline = time.monotonic() + timeout_s
        while text not in self.log:
            over = self._process.poll() is not None or time.monotonic() > deadline
            assert not over or text in self.log, f"never said {text!r}:\n{self.log[-3000:]}"
            time.sleep(POLL_S)
