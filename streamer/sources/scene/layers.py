"""The layers of a scene: what lies behind, the ground, and what stands on it.

All are drawn into a canvas of uint8 planes, back to front, at positions in fractions of a pixel
(bilinear, in steps of 1/256). Chroma lies at half the positions of luma.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from engines.frame import Plane, Planes

STEPS = 256  # of a pixel
Wide = npt.NDArray[np.uint16]


def mix(a: Plane, b: Plane, share: int | Wide) -> Plane:
    """a + (b - a) * share / 256, elementwise; `share` (0..256) may be one per row or column."""
    share = np.uint16(share) if isinstance(share, int) else share
    out = np.multiply(a, np.uint16(STEPS) - share, dtype=np.uint16)
    out += np.multiply(b, share, dtype=np.uint16)
    out += np.uint16(STEPS // 2)
    out >>= np.uint16(8)
    return np.asarray(out, np.uint8)


def split(position: float) -> tuple[int, int]:
    """Whole pixels, and the rest in 1/256."""
    steps = round(position * STEPS)
    return steps // STEPS, steps % STEPS


def moved_columns(plane: Plane, x: float, width: int) -> Plane:
    """The `width` columns from `x` on."""
    whole, rest = split(x)
    return mix(plane[:, whole : whole + width], plane[:, whole + 1 : whole + 1 + width], rest)


def moved_rows(plane: Plane, y: float, height: int) -> Plane:
    """The `height` rows from `y` on."""
    whole, rest = split(y)
    return mix(plane[whole : whole + height], plane[whole + 1 : whole + 1 + height], rest)


@dataclass(frozen=True, eq=False)
class Backdrop:
    """A wide picture far away; it fills the top rows of the canvas."""

    picture: Planes

    def draw(self, canvas: Planes, x: float) -> None:
        """With its column `x` at the left border."""
        for target, plane, factor in zip(
            canvas.channels, self.picture.channels, (1.0, 0.5, 0.5), strict=True
        ):
            rows = plane.shape[0]
            target[:rows] = moved_columns(plane, x * factor, target.shape[1])


class Ground:
    """A plane that runs from the backdrop to the camera: each row moves at its own speed."""

    def __init__(self, picture: Planes, top: int, speeds: npt.NDArray[np.floating[Any]]) -> None:
        """`picture` is seen from the middle; row r of its luma moves `speeds[r]` times as fast as
        the backdrop. It is drawn from row `top` (even) of the canvas on."""
        self._top = top
        self._planes = picture.channels
        self._speeds = (speeds, *(2 * [(speeds[::2] + speeds[1::2]) / 2]))

    def draw(self, canvas: Planes, x: float) -> None:
        """With the camera `x` pixels (of the backdrop) to the right of the middle."""
        for i, (target, plane) in enumerate(zip(canvas.channels, self._planes, strict=True)):
            factor = 1.0 if i == 0 else 0.5
            rows, columns = plane.shape
            width = target.shape[1]
            start = (columns - width) / 2 + x * factor * self._speeds[i]
            steps = np.rint(start * STEPS).astype(np.int64)
            seen = np.empty((rows, width + 1), np.uint8)
            for row, (line, first) in enumerate(zip(plane, (steps // STEPS).tolist(), strict=True)):
                seen[row] = line[first : first + width + 1]
            share = (steps % STEPS).astype(np.uint16)[:, None]
            top = self._top if i == 0 else self._top // 2
            target[top : top + rows] = mix(seen[:, :-1], seen[:, 1:], share)


class Sprite:
    """A cut-out. Its border columns and rows are transparent, so that it can move by fractions."""

    def __init__(self, picture: Planes, alpha: Plane) -> None:
        """`alpha` has the luma's size (even); 255 is solid."""
        half = alpha.reshape(alpha.shape[0] // 2, 2, alpha.shape[1] // 2, 2).mean(axis=(1, 3))
        alphas = (alpha, *(2 * [np.rint(half).astype(np.uint8)]))
        self.height, self.width = alpha.shape
        self._planes = [
            (_product(plane, opaque), 255 - opaque)
            for plane, opaque in zip(picture.channels, alphas, strict=True)
        ]

    def draw(self, canvas: Planes, x: float, y: float, zoom: float = 1.0) -> None:
        """With its upper left corner at (x, y), `zoom` times as large."""
        for i, (target, (solid, clear)) in enumerate(
            zip(canvas.channels, self._planes, strict=True)
        ):
            factor = 1.0 if i == 0 else 0.5
            rows = _Taps.of(solid.shape[0], y * factor, zoom, target.shape[0])
            columns = _Taps.of(solid.shape[1], x * factor, zoom, target.shape[1])
            if rows is None or columns is None:
                return
            below = target[rows.first : rows.end, columns.first : columns.end]
            shown = _sampled(clear, rows, columns)
            out = _product(below, shown)
            out += _sampled(solid, rows, columns)
            below[:] = out


@dataclass(frozen=True, eq=False)
class _Taps:
    """Along one side: which target samples are covered, and the two source samples of each."""

    first: int
    end: int
    index: npt.NDArray[np.int64]
    share: Wide

    @classmethod
    def of(cls, size: int, position: float, zoom: float, target_size: int) -> _Taps | None:
        first = max(int(np.ceil(position)), 0)
        end = min(int(np.floor(position + (size - 1) * zoom)), target_size)
        if first >= end:
            return None
        source = (np.arange(first, end) - position) / zoom
        steps = np.clip(np.rint(source * STEPS), 0, (size - 1) * STEPS - 1).astype(np.int64)
        return cls(first, end, steps // STEPS, (steps % STEPS).astype(np.uint16))


def _sampled(plane: Plane, rows: _Taps, columns: _Taps) -> Plane:
    part = mix(plane[rows.index], plane[rows.index + 1], rows.share[:, None])
    if np.all(np.diff(columns.index) == 1):  # no zoom: slices instead of gathering
        start, count = int(columns.index[0]), len(columns.index)
        return mix(
            part[:, start : start + count], part[:, start + 1 : start + 1 + count], columns.share
        )
    return mix(part[:, columns.index], part[:, columns.index + 1], columns.share)


def _product(a: Plane, b: Plane) -> Plane:
    """a * b / 255, rounded down a little: sums of two such products never overflow."""
    out = np.multiply(a, b, dtype=np.uint16)
    out += a
    out >>= np.uint16(8)
    return np.asarray(out, np.uint8)
