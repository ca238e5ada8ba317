"""A picture inside a frame of another size and shape: as large as it can be, in its own shape."""

from __future__ import annotations

import numpy as np

from engines.frame import Plane, Planes, resized

BLACK = (16, 128, 128)  # limited range


def inner(picture: tuple[int, int], outer: tuple[int, int]) -> tuple[int, int, int, int]:
    """Where a picture (width, height) lies in `outer`: x, y, width, height."""
    factor = min(outer[0] / picture[0], outer[1] / picture[1])
    width, height = (
        max(1, min(most, round(side * factor))) for side, most in zip(picture, outer, strict=True)
    )
    return (outer[0] - width) // 2, (outer[1] - height) // 2, width, height


def fitted(planes: Planes, size: tuple[int, int]) -> Planes:
    """The picture at `size` (width, height), with black borders where its shape is another."""
    if (planes.width, planes.height) == size:
        return planes
    x, y, width, height = (value & ~1 for value in inner((planes.width, planes.height), size))
    small = resized(planes, (max(2, width), max(2, height)))
    half = ((size[1] + 1) // 2, (size[0] + 1) // 2)
    canvas = [np.full(shape, grey, np.uint8) for shape, grey in zip(
        ((size[1], size[0]), half, half), BLACK, strict=True)]  # fmt: skip
    for target, source, step in zip(canvas, small.channels, (1, 2, 2), strict=True):
        _paste(target, source, x // step, y // step)
    return Planes(*canvas)


def _paste(target: Plane, source: Plane, x: int, y: int) -> None:
    room = target[y : y + source.shape[0], x : x + source.shape[1]]
    room[:] = source[: room.shape[0], : room.shape[1]]
