"""The two daemons as child processes, and what they said when one of them fails."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from benches import BenchError

LAST_LINES = 15
START_TIMEOUT_S = 30.0
END_TIMEOUT_S = 15.0
POLL_S = 0.05
ROOT = Path(__file__).parents[2]
D = TypeVar("D", bound="Daemon")
MODULES = {"denc-stream": "streamer.cli", "denc-view": "viewer.cli"}


class Daemon:
    """One of the commands, or a module, its output in a log file; ended when the block is left.

    The code beside this file is run, whatever is installed. `prefix`: a command that runs it.
    """

    def __init__(
        self, command: str, arguments: Sequence[str], log: Path, *, prefix: Sequence[str] = ()
    ) -> None:
        self.name = command
        self.log = log
        self.peak_mib = 0.0  # resident memory, as last seen; Linux only
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [*prefix, *_program(command), *arguments],
                env={**os.environ, "PYTHONPATH": path},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self: D) -> D:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_listening(self, port: int) -> None:
        """Until it accepts connections on 127.0.0.1. Raises BenchError."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(POLL_S)
        raise BenchError(f"{self.name} does not listen on port {port}{self.last_words()}")

    def wait(self, timeout_s: float) -> None:
        """Until it has ended by itself, without an error. Raises BenchError."""
        deadline = time.monotonic() + timeout_s
        while (code := self._process.poll()) is None:
            if time.monotonic() > deadline:
                raise BenchError(
                    f"{self.name} did not end within {timeout_s:g} s{self.last_words()}"
                )
            self.peak_mib = max(self.peak_mib, peak_mib(self.pid))
            time.sleep(POLL_S)
        if code:
            raise BenchError(f"{self.name} ended with exit code {code}{self.last_words()}")

    def exit_reason(self) -> str:
        """How it ended, with its last words; empty while it runs."""
        code = self._process.poll()
        return "" if code is None else f"{self.name} ended with code {code}{self.last_words()}"

    def last_words(self) -> str:
        """The end of its log, to be put behind a message."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:]
        return "; it said:\n  " + "\n  ".join(lines or ["(nothing)"])


def _program(command: str) -> list[str]:
    """One of our programs or a module of ours; anything else lies beside Python."""
    if command in MODULES or "." in command:
        return [sys.executable, "-m", MODULES.get(command, command)]
    return [str(Path(sys.executable).with_name(command))]


_given: set[int] = set()


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody uses right now, and another one each time."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port not in _given:
            _given.add(port)
            return port


def peak_mib(pid: int) -> float:
    """The peak resident memory of a process so far; 0 where the system does not tell."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0.0
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0
