"""Single pictures, kept as PNG files that never replace another."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from daemon.free_names import free_names
from engines.frame import Planes
from viewer.sinks.still import encode_png


def save_snapshot(
    planes: Planes, folder: Path, clock: Callable[[], time.struct_time] = time.localtime
) -> Path:
    """The new file, named by the time: denc-20260102-150405.png. Raises OSError."""
    png = encode_png(planes)
    stem = time.strftime("denc-%Y%m%d-%H%M%S", clock())
    for path in free_names(folder / f"{stem}.png"):
        try:
            with path.open("xb") as file:
                file.write(png)
        except FileExistsError:
            continue
        return path
    raise AssertionError("the numbers ended")
