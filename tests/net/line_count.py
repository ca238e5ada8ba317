"""How many lines a file has that is being written to."""

from __future__ import annotations

from pathlib import Path


class LineCount:
    """Reads only what is new; a file that was begun anew, or is not there, is counted anew."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read_bytes = self._lines = 0

    def lines(self) -> int:
        """Whole ones so far."""
        try:
            with self.path.open("rb") as file:
                if file.seek(0, 2) < self._read_bytes:
                    self._read_bytes = self._lines = 0
                file.seek(self._read_bytes)
                new = file.read()
        except FileNotFoundError:
            new, self._read_bytes, self._lines = b"", 0, 0
        self._read_bytes += len(new)
        self._lines += new.count(b"\n")
        return self._lines
