"""The writing end of a pipe: its reader may be slow, stop reading, or leave."""

from __future__ import annotations

import fcntl
import os
import select
import stat
from contextlib import suppress

WAIT_MS = 100  # until it is looked again whether the pipe was let go
PIPE_BYTES = 1 << 20  # what Linux lets anybody ask for


class Pipe:
    """Writes to a copy of a file descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._let_go = False
        self._descriptor = _own(descriptor)

    def write(self, data: bytes | memoryview) -> None:
        """Write all of it, for as long as the reader takes.

        Raises BrokenPipeError when the reader is gone or `let_go` was called, else OSError.
        """
        left = memoryview(data).cast("B")
        while left:
            if self._let_go:
                raise BrokenPipeError
            try:
                left = left[os.write(self._descriptor, left) :]
            except BlockingIOError:
                waits = select.poll()
                waits.register(self._descriptor, select.POLLOUT)
                waits.poll(WAIT_MS)

    def let_go(self) -> None:
        """End a write that waits for a reader who takes nothing; callable from any thread."""
        self._let_go = True

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _own(descriptor: int) -> int:
    """A pipe is opened anew: only so it can be written without waiting while whoever shares it (a
    shell, a terminal) keeps their way."""
    if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        with suppress(OSError):  # no /proc, or a pipe of another user
            own = os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK)
            with suppress(OSError, AttributeError):  # more than this user may have
                fcntl.fcntl(own, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
            return own
    return os.dup(descriptor)
