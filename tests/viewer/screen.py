"""A screen without a monitor (Xvfb) for the tests of the window, and what is to be seen on it."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

XVFB = shutil.which("Xvfb")
WIDTH, HEIGHT = 800, 600
START_TIMEOUT_S = 20


class Screen:
    """An X server that writes its frame buffer into a file (`-fbdir`)."""

    def __init__(self, name: str, buffer: Path) -> None:
        self.name = name
        self._buffer = buffer

    def rgb(self) -> npt.NDArray[np.uint8]:
        """(HEIGHT, WIDTH, 3): what a monitor would show, out of an XWD file."""
        data = self._buffer.read_bytes()
        head = struct.unpack(">25I", data[:100])
        header_bytes, colours, line_bytes = head[0], head[19], head[12]
        start = header_bytes + colours * 12
        rows = np.frombuffer(data, np.uint8, line_bytes * HEIGHT, start).reshape(HEIGHT, -1, 4)
        bgr: npt.NDArray[np.uint8] = rows[:, :WIDTH, 2::-1].copy()
        return bgr


@contextmanager
def screen(folder: Path) -> Iterator[Screen]:
    """A screen on a display of its own, until the end."""
    assert XVFB is not None
    read_end, write_end = os.pipe()
    command = [XVFB, "-displayfd", str(write_end), "-screen", "0", f"{WIDTH}x{HEIGHT}x24"]
    with subprocess.Popen(
        [*command, "-fbdir", str(folder), "-nolisten", "tcp"],
        pass_fds=[write_end],
        stderr=subprocess.DEVNULL,
    ) as server:
        os.close(write_end)
        with os.fdopen(read_end) as told:
            number = told.readline().strip()  # empty when it cannot start
        try:
            assert number
            yield Screen(f":{number}", folder / "Xvfb_screen0")
        finally:
            server.terminate()
