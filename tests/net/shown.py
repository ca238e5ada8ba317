"""Which pictures were shown when: the log of either peer."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ShownPicture:
    """Times are Unix us."""

    number: int  # of the source's frame
    captured_us: int
    shown_us: int

    @property
    def latency_ms(self) -> float:
        return (self.shown_us - self.captured_us) / 1000


def rows(path: Path) -> Iterator[dict[str, str]]:
    """The whole lines of a CSV log that may still be written to; none if it is not there yet."""
    if not path.exists():
        return
    text = path.read_text(encoding="utf-8")
    yield from csv.DictReader(text[: text.rfind("\n") + 1].splitlines())


def has_rows(path: Path) -> bool:
    """Whether anything but the header is in it."""
    return next(rows(path), None) is not None


def of_denc(log: Path) -> tuple[ShownPicture, ...]:
    """From `denc-view --log-frames`."""
    return tuple(
        ShownPicture(int(row["frame_number"]), int(row["captured_us"]), int(row["shown_us"]))
        for row in rows(log)
    )


def of_aiortc(sent: Path, shown: Path) -> tuple[ShownPicture, ...]:
    """From the logs of both ends: the time code in the picture says which one it is."""
    captured = {int(row["frame_number"]): int(row["captured_us"]) for row in rows(sent)}
    found: dict[int, ShownPicture] = {}
    for row in rows(shown):
        number = int(row["frame_number"])
        if number in captured and number not in found:
            found[number] = ShownPicture(number, captured[number], int(row["shown_us"]))
    return tuple(found.values())
