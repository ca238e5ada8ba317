"""Which frames of a clip are looked at where all of them would take too long."""

from __future__ import annotations


def evenly(count: int, parts: int) -> list[int]:
    """Numbers of `parts` of `count` frames, all of them if there are no more: the middles of equal
    parts."""
    parts = min(parts, count)
    return [int((part + 0.5) * count / parts) for part in range(parts)]
