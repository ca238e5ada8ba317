"""One CSV line per shown frame, for measurements."""

from __future__ import annotations

import csv
from pathlib import Path

from daemon.errors import UsageError
from viewer.picture import Shown

COLUMNS = (
    "frame_number", "captured_us", "shown_us", "latency_ms", "bytes", "irap", "qp", "engine",
)  # fmt: skip


class FrameLog:
    """Writes the file anew; every line is on disk once it is written."""

    name = "log_frames"
    capacity = 64

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open("w", newline="", buffering=1, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"cannot write the frame log {path}: {error.strerror}") from error
        self._rows = csv.writer(self._file, lineterminator="\n")
        self._rows.writerow(COLUMNS)

    def show(self, value: Shown) -> None:
        self._rows.writerow(
            (
                value.frame.number,
                value.frame.captured_us,
                value.shown_us,
                f"{value.latency_us / 1e3:.3f}",
                value.decoded.size_bytes,
                int(value.decoded.irap),
                value.decoded.latent.qp,
                value.engine,
            )
        )

    def close(self) -> None:
        self._file.close()
